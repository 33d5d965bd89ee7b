// A kernel's text for the buffers one call gives it. WebGPU tracks usage per whole buffer: a dispatch may not have one buffer both
// read-only and writable, and two writable bindings may not overlap. Which values share a buffer is the memory plan's choice, so
// this decides per call, from places alone:
//   read        in a buffer that the kernel does not write
//   read_write  in a buffer that it does write, elsewhere
//   same as k   at the very place of another writable binding: its name is used instead (an update in place)
//   beside      overlapping one without being it, or read there in another layout: from a copy
// The text is the compiler's; only access words and whole names are replaced.

export interface Place {
  readonly buffer: object;
  readonly offset: number;
  readonly bytes: number;
}

export type Access = "read" | "write" | "share" | "beside" | { readonly same: number };

const overlap = (a: Place, b: Place): boolean => a.buffer === b.buffer && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;

/** How each binding is used. `layouts` are the element types that the kernel reads or writes through each. */
export const accessOf = (
  bindings: readonly { readonly access: "read" | "write" }[],
  places: readonly Place[],
  layouts: readonly string[],
): Access[] => {
  const written = places.filter((_, i) => bindings[i]!.access === "write").map((place) => place.buffer);
  const access: Access[] = bindings.map(({ access: kind }) => kind);
  bindings.forEach(({ access: kind }, i) => {
    if (kind === "write" || !written.includes(places[i]!.buffer)) return;
    access[i] = "share";
    for (const [k, other] of places.entries()) {
      const writable = bindings[k]!.access === "write" || (k < i && access[k] === "share");
      if (k === i || !writable || !overlap(places[i]!, other)) continue;
      const identical = other.offset === places[i]!.offset && layouts[k] === layouts[i];
      access[i] = identical ? { same: k } : "beside";
      if (identical && bindings[k]!.access === "write") break;
    }
  });
  return access;
};

/** The element type of each binding, in order, from the kernel's declarations. */
export const layoutsOf = (text: string): string[] =>
  [...text.matchAll(/^@group\(0\) @binding\(\d+\) var<storage, \w+> \w+: (array<.+>);$/gm)].map((match) => match[1]!);

/** The kernel's text under these accesses. */
export const variantOf = (text: string, access: readonly Access[]): string => {
  const names = [...text.matchAll(/^@group\(0\) @binding\(\d+\) var<storage, \w+> (\w+):/gm)].map((match) => match[1]!);
  let result = text;
  access.forEach((kind, i) => {
    const name = names[i]!;
    const declaration = `@group(0) @binding(${i}) var<storage, read> ${name}:`;
    if (kind === "share") result = result.replace(declaration, declaration.replace("read>", "read_write>"));
    else if (typeof kind === "object") {
      const line = result.split("\n").find((l) => l.startsWith(declaration))!;
      result = result.replace(`${line}\n`, "").replaceAll(new RegExp(`\\b${name}\\b`, "g"), names[kind.same]!);
    }
  });
  return result;
};

/** The part of a module that one kernel needs: what all share, and its own section. */
export const sectionOf = (module: string, entry: string): string => {
  const sections = module.split(/^(?=\/\/ kernel )/m);
  const shared = sections[0]!.startsWith("// kernel ") ? "" : sections[0]!;
  const section = sections.find((text) => text.startsWith(`// kernel ${entry}\n`));
  if (section === undefined) throw new Error(`the module has no kernel ${entry}`);
  return shared + section;
};
