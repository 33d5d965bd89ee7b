// A pickle of tensors -> where each lies, without running anything. Python's pickle is a program for a small machine; this one has
// the instructions that torch.save writes for a dictionary of tensors and none that could call a function: the few names a file may
// refer to are words for tensors here, every other is refused by its name. (The machine: Lib/pickletools.py of CPython, protocol 2 to 5.)

/** A tensor in one of the file's storages; `offset` and sizes count elements. */
export interface PickledTensor {
  readonly storage: string;
  /** torch's name of the storage's class: "FloatStorage". */
  readonly type: string;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

export interface Refused {
  readonly problem: string;
}

interface Named {
  readonly kind: "name";
  readonly name: string;
}

interface Storage {
  readonly kind: "storage";
  readonly key: string;
  readonly type: string;
}

type Value =
  | string
  | number
  | boolean
  | null
  | Value[]
  | Map<Value, Value>
  | Named
  | Storage
  | { readonly kind: "tensor"; readonly tensor: PickledTensor };

const mark = Symbol("mark");

const harmless = /^(collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)|torch (\w+Storage))$/;

class Unreadable extends Error {}

const refuse = (problem: string): never => {
  throw new Unreadable(problem);
};

/** The tensors by name; of anything else than a dictionary of tensors what it is. Never throws on what a file holds. */
export const readPickle = (bytes: Uint8Array): ReadonlyMap<string, PickledTensor> | Refused => {
  try {
    return tensorsOf(run(bytes));
  } catch (error) {
    if (error instanceof Unreadable) return { problem: error.message };
    if (error instanceof RangeError) return { problem: "it ends in the middle" };
    throw error;
  }
};

const tensorsOf = (value: Value): ReadonlyMap<string, PickledTensor> => {
  if (!(value instanceof Map)) return refuse("it holds no dictionary of tensors");
  const tensors = new Map<string, PickledTensor>();
  for (const [key, item] of value) {
    if (typeof key !== "string") return refuse("it has a key that is no text");
    if (!isKind(item, "tensor")) return refuse(`\`${key}\` in it is no tensor`);
    tensors.set(key, item.tensor);
  }
  return tensors;
};

const isKind = <K extends "name" | "storage" | "tensor">(
  value: Value | undefined,
  kind: K,
): value is Extract<Value, { readonly kind: K }> => typeof value === "object" && value !== null && "kind" in value && value.kind === kind;

const run = (bytes: Uint8Array): Value => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stack: (Value | typeof mark)[] = [];
  const memo = new Map<number, Value>();
  let at = 0;
  const byte = (): number => view.getUint8(at++);
  const word = (): number => {
    at += 4;
    return view.getUint32(at - 4, true);
  };
  const text = (length: number): string => {
    if (at + length > bytes.length) throw new RangeError();
    at += length;
    return new TextDecoder().decode(bytes.subarray(at - length, at));
  };
  const line = (): string => {
    const end = bytes.indexOf(10, at);
    if (end < 0) throw new RangeError();
    const read = text(end - at);
    at = end + 1;
    return read;
  };
  const pop = (): Value => {
    const value = stack.pop();
    return value === undefined || value === mark ? refuse("it is damaged") : value;
  };
  const top = (): Value => {
    const value = pop();
    stack.push(value);
    return value;
  };
  const sinceMark = (): Value[] => {
    const from = stack.lastIndexOf(mark);
    if (from < 0) return refuse("it is damaged");
    const values = stack.splice(from);
    return values.slice(1) as Value[];
  };
  const named = (name: string): Named =>
    harmless.test(name) ? { kind: "name", name } : refuse(`it asks for \`${name.replace(" ", ".")}\``);
  const put = (pairs: readonly Value[]): void => {
    const into = top();
    if (!(into instanceof Map)) throw new Unreadable("it is damaged");
    for (let i = 0; i + 1 < pairs.length; i += 2) into.set(pairs[i]!, pairs[i + 1]!);
  };
  const append = (items: readonly Value[]): void => {
    const into = top();
    if (!Array.isArray(into)) throw new Unreadable("it is damaged");
    into.push(...items);
  };
  for (;;) {
    const code = String.fromCharCode(byte());
    switch (code) {
      case "\x80": // PROTO
        byte();
        break;
      case "\x95": // FRAME
        at += 8;
        break;
      case ".":
        return pop();
      case "(":
        stack.push(mark);
        break;
      case "N":
        stack.push(null);
        break;
      case "\x88":
      case "\x89":
        stack.push(code === "\x88");
        break;
      case "K":
        stack.push(byte());
        break;
      case "M":
        stack.push(byte() + 256 * byte());
        break;
      case "J":
        stack.push(word() | 0);
        break;
      case "\x8a": // LONG1: little-endian, signed; what is beyond a double's whole numbers is no size
        stack.push(wholeNumber(Uint8Array.from({ length: byte() }, byte)));
        break;
      case "G":
        at += 8;
        stack.push(view.getFloat64(at - 8, false));
        break;
      case "X":
        stack.push(text(word()));
        break;
      case "\x8c":
        stack.push(text(byte()));
        break;
      case "U":
        stack.push(text(byte()));
        break;
      case "}":
        stack.push(new Map());
        break;
      case "]":
      case ")":
        stack.push([]);
        break;
      case "t":
      case "l":
        stack.push(sinceMark());
        break;
      case "\x85":
      case "\x86":
      case "\x87": {
        const items = Array.from({ length: code.charCodeAt(0) - 0x84 }, pop);
        stack.push(items.reverse());
        break;
      }
      case "s": {
        const value = pop();
        put([pop(), value]);
        break;
      }
      case "u":
        put(sinceMark());
        break;
      case "a":
        append([pop()]);
        break;
      case "e":
        append(sinceMark());
        break;
      case "q":
        memo.set(byte(), top());
        break;
      case "r":
        memo.set(word(), top());
        break;
      case "\x94":
        memo.set(memo.size, top());
        break;
      case "h":
      case "j": {
        const value = memo.get(code === "h" ? byte() : word());
        stack.push(value === undefined ? refuse("it is damaged") : value);
        break;
      }
      case "c":
        stack.push(named(`${line()} ${line()}`));
        break;
      case "\x93": {
        const name = pop();
        stack.push(named(`${String(pop())} ${String(name)}`));
        break;
      }
      case "Q":
        stack.push(storageOf(pop()));
        break;
      case "R": {
        const args = pop();
        stack.push(made(pop(), args));
        break;
      }
      case "b": // BUILD: attributes of a dictionary, which are no tensors
        pop();
        if (!(top() instanceof Map)) refuse("it sets attributes of something that is no dictionary");
        break;
      case "0":
        pop();
        break;
      default:
        return refuse(`it has an instruction (0x${code.charCodeAt(0).toString(16)}) that no file of tensors needs`);
    }
  }
};

const wholeNumber = (bytes: Uint8Array): number => {
  const value = bytes.reduceRight((sum, one) => sum * 256n + BigInt(one), 0n);
  const signed = Number(BigInt.asIntN(8 * bytes.length, value));
  return Number.isSafeInteger(signed) ? signed : refuse("it has a number that is no size");
};

/** ("storage", its class, its key, where it was, how many elements). */
const storageOf = (value: Value): Storage => {
  if (!Array.isArray(value)) return refuse("it is damaged");
  const [word, type, key] = value;
  if (word !== "storage" || !isKind(type, "name") || typeof key !== "string") return refuse("it refers to something that is no storage");
  return { kind: "storage", key, type: type.name.slice("torch ".length) };
};

/** The few calls that a file of tensors makes, each of which only says what something is. */
const made = (callee: Value, args: Value): Value => {
  if (!isKind(callee, "name") || !Array.isArray(args)) return refuse("it calls something that is no tensor");
  if (callee.name === "collections OrderedDict") {
    const [pairs, ...more] = args;
    if (more.length || (pairs !== undefined && !Array.isArray(pairs))) return refuse("it is damaged");
    return new Map((pairs ?? []).map((pair) => (Array.isArray(pair) ? ([pair[0]!, pair[1]!] as const) : refuse("it is damaged"))));
  }
  if (callee.name === "torch._utils _rebuild_parameter") return args[0] ?? refuse("it is damaged");
  const [storage, offset, shape, strides] = args;
  if (callee.name !== "torch._utils _rebuild_tensor_v2" || !isKind(storage, "storage"))
    return refuse(`it calls \`${callee.name.replace(" ", ".")}\``);
  if (typeof offset !== "number" || !sizes(shape) || !sizes(strides)) return refuse("it is damaged");
  return { kind: "tensor", tensor: { storage: storage.key, type: storage.type, offset, shape, strides } };
};

const sizes = (value: Value | undefined): value is number[] =>
  Array.isArray(value) && value.every((item) => typeof item === "number" && Number.isSafeInteger(item) && item >= 0);
