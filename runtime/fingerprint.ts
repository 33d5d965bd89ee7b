// A job -> a name for the numbers that it makes.

import type { Job } from "../spec/job.ts";

/** Names what decides a run's numbers: everything in the job but where it was written down. */
export const fingerprint = async (job: Job): Promise<string> => {
  const { name: _, source: __, ...rest } = job;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(rest)));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
};
