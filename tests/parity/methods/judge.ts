// When two sides agree: one place for the tolerances.

import type { Apart } from "./compare.ts";

export const tolerances = { gradient: 1e-5, loss: 1e-4, tensor: 1e-3 } as const;

/** Everything that is too far apart; empty when both sides agree. */
export const complaints = (apart: Apart): string[] => {
  const { first, gradient, sgdLoss, adamwLoss, sgd, adamw, moved, trainable, bytes } = apart;
  const { lossesOnly, filesDiffer } = apart;
  const says = (holds: boolean, text: string): string[] => (holds ? [] : [text]);
  return [
    ...says(trainable[0] === trainable[1], `trainable: ${trainable[0]}, the library says ${trainable[1]}`),
    ...says(filesDiffer || bytes[0] === bytes[1], `file: ${bytes[0]} bytes, the library's has ${bytes[1]}`),
    ...says(first.far < tolerances.tensor, `first value of ${first.name}: ${first.far.toExponential(1)} apart`),
    ...says(lossesOnly || gradient.far < tolerances.gradient, `first gradient of ${gradient.name}: ${gradient.far.toExponential(1)} apart`),
    ...says(sgdLoss < tolerances.loss, `losses with sgd: ${sgdLoss.toExponential(1)} apart`),
    ...says(adamwLoss < tolerances.loss, `losses with adamw: ${adamwLoss.toExponential(1)} apart`),
    ...says(lossesOnly || sgd.far < tolerances.tensor, `${sgd.name} after sgd: ${sgd.far.toExponential(1)} apart`),
    ...says(lossesOnly || adamw.far < tolerances.tensor, `${adamw.name} after adamw: ${adamw.far.toExponential(1)} apart`),
    ...says(moved > 10 * tolerances.tensor, `nothing moved: ${moved.toExponential(1)}; raise the learning rate of the case`),
  ];
};

export const row = (name: string, { gradient, sgdLoss, adamwLoss, sgd, adamw, trainable, bytes }: Apart): string =>
  [
    name.padEnd(48),
    `gradient ${gradient.far.toExponential(1)}`,
    `losses ${sgdLoss.toExponential(1)} ${adamwLoss.toExponential(1)}`,
    `tensors ${sgd.far.toExponential(1)} ${adamw.far.toExponential(1)}`,
    `${trainable[0]} trained`,
    `${bytes[0]} bytes`,
  ].join("  ");
