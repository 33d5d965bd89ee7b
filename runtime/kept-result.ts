// What a run that trains nothing leaves in a folder where an earlier result lies: the earlier one with what was found now put in, so that
// neither a training nor the evaluation of another adapter is lost.

import type { Result } from "../spec/result.ts";

/**
 * What stands above the lists (file, device, versions, outcome) stays the training's, where there was one. An evaluation of the same subject
 * on the same split is replaced, and so is a merge into the same folder.
 */
export const addedTo = (earlier: Result, now: Result): Result => {
  const evaluated = ({ evaluate: all }: Result, one: Result["evaluate"][number]): boolean =>
    all.some(({ subject, data, split }) => subject === one.subject && data === one.data && split === one.split);
  const require = now.require?.length ? now.require : earlier.require;
  return {
    ...(earlier.train.length > 0 ? earlier : now),
    adapters: Object.fromEntries(
      Object.entries({ ...earlier.adapters, ...now.adapters }).map(([name, adapter]) => [name, { ...earlier.adapters[name], ...adapter }]),
    ),
    train: earlier.train,
    evaluate: [...earlier.evaluate.filter((one) => !evaluated(now, one)), ...now.evaluate],
    merge: [...earlier.merge.filter(({ path }) => !now.merge.some((other) => other.path === path)), ...now.merge],
    ...(require && { require }),
    plan: earlier.plan,
  };
};
