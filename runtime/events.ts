// What a run tells while it runs. Plain data; the command line draws it, a page may too.

import type { Diagnostic } from "../spec/diagnostic.ts";

export type RunEvent =
  | { readonly kind: "device"; readonly name: string; readonly why: string }
  | { readonly kind: "warning"; readonly diagnostic: Diagnostic }
  | { readonly kind: "phase"; readonly title: string }
  | {
      readonly kind: "step";
      readonly adapter: string;
      /** From 1. */
      readonly step: number;
      readonly total: number;
      readonly loss: number;
      /** Of the loss, what methods added to it; where they do. */
      readonly added?: number;
      readonly rate: number;
      readonly norm: number;
      /** Real tokens per second since the start of this run, padding left out. */
      readonly tokensPerSecond: number;
      readonly secondsLeft: number;
    }
  | { readonly kind: "progress"; readonly title: string; readonly done: number; readonly total: number }
  | { readonly kind: "saved"; readonly what: string; readonly path: string; readonly bytes: number }
  | { readonly kind: "metrics"; readonly subject: string; readonly split: string; readonly metrics: Readonly<Record<string, number>> }
  | { readonly kind: "sample"; readonly subject: string; readonly prompt: string; readonly answer: string; readonly expected?: string }
  | {
      readonly kind: "merged";
      readonly adapter: string;
      readonly path: string;
      readonly rounding: number;
      readonly check?: { readonly split: string; readonly unmerged: number; readonly merged: number };
    };

export type Listener = (event: RunEvent) => void;
