// `hf://ORG/NAME@REVISION` <-> its parts. A place of the hub, as a pipeline names it; without a revision it is the branch `main`.

export interface Place {
  /** `ORG/NAME`; old models have no organisation. */
  readonly name: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
}

export const scheme = "hf://";

export const isHubPlace = (path: string): boolean => path.startsWith(scheme);

/** A whole commit, which never names anything else. */
export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

/** The place, or what is wrong with the text. Names and revisions become parts of paths, so they are held to the hub's own rules. */
export const readPlace = (text: string): Place | string => {
  const [name = "", revision = "main", ...more] = text.slice(scheme.length).split("@");
  if (more.length > 0) return "there is more than one `@` in it";
  const parts = name.split("/");
  if (name === "") return "there is no name in it";
  if (parts.length > 2) return "a name has one `/` at most, and a model in a folder of another cannot be named";
  for (const part of parts)
    if (!/^[A-Za-z0-9_](?:[\w.-]{0,94}[\w])?$/.test(part) || /--|\.\./.test(part)) return `the hub has no names like \`${part}\``;
  if (!/^[\w.+/-]{1,255}$/.test(revision) || /\.\.|\/\/|^[/.]|[/.]$/.test(revision)) return `\`${revision}\` is no branch, tag or commit`;
  return { name, revision };
};

export const writePlace = ({ name, revision }: Place): string => `${scheme}${name}@${revision}`;
