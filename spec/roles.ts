// Roles as rows call them -> as chat templates know them. The words of files that people have: OpenAI's, and those of ShareGPT's export.

export const roles: Readonly<Record<string, string>> = {
  user: "user",
  human: "user",
  assistant: "assistant",
  gpt: "assistant",
  system: "system",
  developer: "developer",
  tool: "tool",
};
