// The part of the WebAssembly JavaScript interface that is used here: TypeScript has it only together with a browser's.

declare namespace WebAssembly {
  const validate: (bytes: Uint8Array) => boolean;
  class Memory {
    constructor(options: { initial: number; maximum?: number; shared?: true });
    readonly buffer: SharedArrayBuffer | ArrayBuffer;
    grow(pages: number): number;
  }
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: Readonly<Record<string, Readonly<Record<string, Memory>>>>);
    readonly exports: Readonly<Record<string, (...args: number[]) => void>>;
  }
}
