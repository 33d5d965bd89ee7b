// Chat templates in the shapes that models have, written here. Each is given with its turns marked; without the marks it is the same
// template as most tokenizers carry it. `%` stands for what marks are put around.

export interface Shape {
  readonly name: string;
  /** Special tokens, the first of them the beginning of a text. */
  readonly special: readonly string[];
  readonly end: string;
  readonly source: string;
}

/** Role headers between two tokens, and a token behind each turn. */
const headers: Shape = {
  name: "headers",
  special: ["<|begin|>", "<|head|>", "<|/head|>", "<|turn|>"],
  end: "<|turn|>",
  source: `{{- bos_token }}
{%- for message in messages %}
    {%- set start = '<|head|>' + message['role'] + '<|/head|>\\n\\n' %}
    {{- start }}
    {%- if message['role'] == 'assistant' %}
        {%- generation %}
            {{- message['content'] | trim + '<|turn|>' }}
        {%- endgeneration %}
    {%- else %}
        {{- message['content'] | trim + '<|turn|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|head|>assistant<|/head|>\\n\\n' }}
{%- endif %}
`,
};

/** A line for each turn, the role on the line before; what follows the end token is a line break. */
const lines: Shape = {
  name: "lines",
  special: ["<|im_start|>", "<|im_end|>"],
  end: "<|im_end|>",
  source: `{% for message in messages %}
{% if loop.first and message['role'] != 'system' %}
{{- '<|im_start|>system\\nBe brief.<|im_end|>\\n' -}}
{% endif %}
{% if message['role'] == 'assistant' %}
{{- '<|im_start|>assistant\\n' -}}
    {% generation %}
{{- message['content'] + '<|im_end|>' -}}
    {% endgeneration %}
{{- '\\n' -}}
{% else %}
{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' -}}
{% endif %}
{% endfor %}
{% if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' -}}
{% endif %}
`,
};

/** Brackets around what a user says, nothing to go on with, and roles that must take turns. */
const brackets: Shape = {
  name: "brackets",
  special: ["<s>", "</s>"],
  end: "</s>",
  source: `{%- if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}
{{- bos_token }}
{%- for message in rest %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('After the optional system message, roles must take turns: user, assistant, user, assistant') }}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {%- if loop.first and system is defined %}
            {{- '[INST] ' + system + '\\n\\n' + message['content'] + ' [/INST]' }}
        {%- else %}
            {{- '[INST] ' + message['content'] + ' [/INST]' }}
        {%- endif %}
    {%- else %}
        {%- generation -%}
        {{- ' ' + message['content'] + eos_token -}}
        {%- endgeneration -%}
    {%- endif %}
{%- endfor %}
`,
};

/** The assistant has another name, and no system message is known. */
const renamed: Shape = {
  name: "renamed",
  special: ["<bos>", "<start_of_turn>", "<end_of_turn>"],
  end: "<end_of_turn>",
  source: `{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{% for message in messages %}
{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}
{{ '<start_of_turn>' + role + '\\n' }}{% if role == 'model' %}{% generation %}{{ message['content'] | trim }}{{ '<end_of_turn>' }}{% endgeneration %}{% else %}{{ message['content'] | trim + '<end_of_turn>' }}{% endif %}{{ '\\n' }}{% endfor %}
{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}`,
};

export const shapes: readonly Shape[] = [headers, lines, brackets, renamed];

/** The template as a tokenizer carries it that says nothing of turns. */
export const unmarked = (source: string): string =>
  source.replace(/\{%(-?)\s*(?:end)?generation\s*(-?)%\}/g, (_, left: string, right: string) => `{%${left} if true %}{% endif ${right}%}`);

const conversation = (...texts: readonly string[]) => texts.map((content, i) => ({ role: i % 2 ? "assistant" : "user", content }));

export const conversations = [
  conversation("One soup, please.", "Anything else?"),
  conversation("One soup.", "Anything else?", "No, thank you.", "That is 4 coins.", "Here.", "Good bye!"),
  conversation("What is\n\n1 + 1?", "  2  ", "And {{ braces }}, 'quotes', \"more\"?", "naïve — 😀 日本\n"),
  conversation(" leading", "\nA line of its own", "x", "\n\nTwo"),
  [{ role: "system", content: "You are a waiter." }, ...conversation("Hello", "What would you like?")],
  [...conversation("Only asked", "told"), { role: "user", content: "and not answered" }],
];
