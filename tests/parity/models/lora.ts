// One step of low-rank adapters in every linear layer beside PEFT's, from tensors that follow from their keys; and the way out of this
// program and back: what is saved is read as what it was.

import { loadAdapter, saveAdapter } from "../../../runtime/adapter-files.ts";
import type { Session } from "../../../runtime/devices/device.ts";
import { nodeHost } from "../../../runtime/node-host.ts";
import { foldedShape, refold } from "../../../spec/folded.ts";
import type { AdapterFiles, Job } from "../../../spec/job.ts";
import type { Case } from "./cases.ts";
import type { Theirs } from "./compare.ts";
import { drawn } from "./drawn.ts";
import { compiled, type Drawn, inFolder, opened, pipelineOf, runStep } from "./session.ts";

/** What PEFT is asked to make: our adapter_config.json and the shapes of our tensors. */
export interface Stored {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, readonly number[]>>;
}

const textOf = (one: Case, adapter?: string): string =>
  pipelineOf(one, adapter ?? `= lora(r: 2, alpha: 6) into ${one.task === "answer" ? "model.encoder.**, " : ""}model.layers.**`);

type Tensor = AdapterFiles["tensors"][number];

const shapeOf = ({ parameters }: Job, { parameter, fold }: Tensor): readonly number[] => {
  const { shape } = parameters.find(({ name }) => name === parameter)!;
  return fold ? foldedShape(shape, fold) : shape;
};

export const storedAs = (one: Case, checkpoint: Drawn): Promise<Stored> =>
  inFolder(checkpoint, async (folder) => {
    const { job } = await compiled(folder, textOf(one), "plan");
    const { config, tensors } = job.adapters[0]!.files;
    return { config, tensors: Object.fromEntries(tensors.map((tensor) => [tensor.key, shapeOf(job, tensor)])) };
  });

/** Why ours is not theirs, or what is read is not what was saved; undefined when all agrees. */
export const compareLora = (one: Case, theirs: Theirs, library?: ReadonlyMap<string, string>): Promise<string | undefined> =>
  inFolder(theirs, (folder) =>
    opened(
      folder,
      textOf(one),
      async (job, session) => {
        const { tensors } = job.adapters[0]!.files;
        const keys = Object.fromEntries(tensors.map((tensor) => [tensor.key, shapeOf(job, tensor)]));
        if (JSON.stringify(sorted(keys)) !== JSON.stringify(sorted(theirs.lora.tensors))) return "the tensors have other names or shapes";
        for (const { key, parameter, fold } of tensors) {
          const values = drawn(key, keys[key]!);
          const { shape } = job.parameters.find(({ name }) => name === parameter)!;
          await session.write(parameter, fold ? refold(values, shape, fold, true) : values);
        }
        return (await stepApart(one, theirs, job, session)) ?? (await roundTrip(one, folder, job, session));
      },
      library,
    ),
  );

const sorted = (keys: Readonly<Record<string, readonly number[]>>) => Object.entries(keys).sort(([a], [c]) => (a < c ? -1 : 1));

const stepApart = async (one: Case, { lora }: Theirs, job: Job, session: Session): Promise<string | undefined> => {
  const loss = await runStep(one, job, session);
  if (!(Math.abs(loss - lora.loss) < 1e-5)) return `the loss is ${loss}, theirs ${lora.loss}`;
  for (const { key, parameter, fold } of job.adapters[0]!.files.tensors) {
    const plain = (await session.read(`gradient(${parameter})`)) as Float32Array;
    const { shape } = job.parameters.find(({ name }) => name === parameter)!;
    const values = fold ? refold(plain, shape, fold, false) : plain;
    const [norm, ...first] = lora.gradients[key] as [number, ...number[]];
    const far = Math.max(Math.abs(Math.hypot(...values) - norm), ...first.map((x, i) => Math.abs(values[i]! - x)));
    if (!(far < 1e-3 * Math.max(norm, 1e-4))) return `the gradient of ${key} is ${far} apart, its norm ${norm}`;
  }
  return undefined;
};

/** Saved, found again by its files alone, and read: the same parameters with the same bits. */
const roundTrip = async (one: Case, folder: string, job: Job, session: Session): Promise<string | undefined> => {
  const [adapter] = job.adapters;
  const saved = new Map<string, Float32Array>();
  for (const name of adapter!.parameters) saved.set(name, ((await session.read(name)) as Float32Array).slice());
  await saveAdapter(nodeHost, `${folder}/it`, adapter!, job.parameters, (name) => saved.get(name)!);
  const { job: again } = await compiled(folder, textOf(one, '= load("it/")'), "plan");
  const [found] = again.adapters;
  if (JSON.stringify(found!.files.tensors) !== JSON.stringify(adapter!.files.tensors))
    return "what is read has other tensors than what was saved";
  let apart: string | undefined;
  await loadAdapter(nodeHost, `${folder}/it`, found!, again.parameters, (name, values) => {
    const before = saved.get(name);
    if (!before || before.length !== values.length || before.some((value, i) => value !== values[i])) apart = name;
    saved.delete(name);
  });
  return apart ? `${apart} came back as something else` : saved.size > 0 ? `${[...saved.keys()]} did not come back` : undefined;
};
