// What a training sends to an MLflow server, against a server that keeps to MLflow's REST interface as far as it is used: every number once,
// in its run. And what happens without one.

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { openMlflow } from "../../cli/logs/mlflow.ts";
import { loggingTo } from "../../cli/logs/node-logs.ts";
import type { RunEvent } from "../../runtime/events.ts";
import type { Job } from "../../spec/job.ts";
import { assert, group } from "../harness.ts";

interface Asked {
  readonly path: string;
  readonly body: Record<string, unknown>;
}

const bodyOf = async (request: IncomingMessage): Promise<Record<string, unknown>> => {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString("utf8") || "{}") as Record<string, unknown>;
};

/** A tracking server that has no experiment yet; `broken` refuses to take numbers. */
const serving = async (body: (server: string, asked: Asked[]) => Promise<void>, broken = false): Promise<void> => {
  const asked: Asked[] = [];
  let experiments = 0;
  let runs = 0;
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, "http://here");
    const path = pathname.replace("/api/2.0/mlflow/", "");
    const given = request.method === "GET" ? Object.fromEntries(searchParams) : await bodyOf(request);
    asked.push({ path, body: given });
    const reply = (status: number, answer: unknown): void => void response.writeHead(status).end(JSON.stringify(answer));
    if (path === "experiments/get-by-name")
      return experiments ? reply(200, { experiment: { experiment_id: "1" } }) : reply(404, { error_code: "RESOURCE_DOES_NOT_EXIST" });
    if (path === "experiments/create") return reply(200, { experiment_id: String(++experiments) });
    if (path === "runs/create") return reply(200, { run: { info: { run_id: `run${++runs}` } } });
    if (path === "runs/log-batch") return broken ? reply(500, { message: "disk full" }) : reply(200, {});
    return reply(path === "runs/update" ? 200 : 400, {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
};

const step = (adapter: string, at: number): RunEvent => ({
  kind: "step",
  adapter,
  step: at,
  total: 600,
  loss: 1 / at,
  rate: 0.5,
  norm: 2,
  tokensPerSecond: 10,
  secondsLeft: 0,
});

const job = {
  name: "menu.peft",
  train: ["menu", "polite"].map((adapter) => ({ adapter, logs: ["mlflow"], log: { every: 1 } })),
} as unknown as Job;

group("mlflow", (test) => {
  test("a run per adapter gets every number of its steps once, and ends as the training did", () =>
    serving(async (server, asked) => {
      const warnings: RunEvent[] = [];
      const env = { MLFLOW_TRACKING_URI: `${server}/`, MLFLOW_EXPERIMENT_NAME: "menus" };
      const { listen, close } = loggingTo(job, "/nowhere", (event) => event.kind === "warning" && warnings.push(event), env, true);
      for (let at = 1; at <= 600; at++) listen(step("menu", at));
      listen({ kind: "metrics", subject: "menu at step 600", split: "orders.eval", metrics: { loss: 0.25 } });
      listen(step("polite", 1));
      await close("FINISHED");
      assert.equal(warnings, []);
      assert.equal(
        asked.filter(({ path }) => path === "experiments/create").map(({ body }) => body),
        [{ name: "menus" }],
      );
      assert.equal(
        asked.filter(({ path }) => path === "runs/create").map(({ body }) => body.run_name),
        ["menu", "polite"],
      );
      const batches = asked.filter(({ path }) => path === "runs/log-batch");
      const sent = batches.flatMap(({ body }) =>
        (body.metrics as { key: string; value: number; step: number }[]).map((one) => ({ run: body.run_id, ...one })),
      );
      assert.ok(batches.every(({ body }) => (body.metrics as unknown[]).length <= 1000));
      const losses = sent.filter(({ key, run }) => key === "train/loss" && run === "run1");
      assert.equal(
        losses.map(({ step: at, value }) => [at, value]),
        Array.from({ length: 600 }, (_, i) => [i + 1, 1 / (i + 1)]),
      );
      assert.equal(
        sent.filter(({ key }) => key === "eval/loss").map(({ step: at, value, run }) => [at, value, run]),
        [[600, 0.25, "run1"]],
      );
      assert.is(sent.length, 600 * 4 + 1 + 4);
      const ends = asked.filter(({ path }) => path === "runs/update").map(({ body }) => [body.run_id, body.status]);
      assert.equal(ends, [
        ["run1", "FINISHED"],
        ["run2", "FINISHED"],
      ]);
    }));

  test("a server that refuses, is not there, or is not named costs one warning and nothing else", async () => {
    const told = async (server: string | undefined): Promise<string[]> => {
      const warnings: string[] = [];
      const { put, close } = openMlflow({
        server,
        experiment: "x",
        warn: ({ code, message }) => warnings.push(`${code} ${message}`),
        patience: 2000,
      });
      for (let at = 1; at <= 5; at++) put("menu", at, at, { loss: at });
      await close("FINISHED");
      put("menu", 6, 6, { loss: 6 });
      await close("FINISHED");
      return warnings;
    };
    let address = "";
    await serving(async (server) => {
      address = server;
      const [refused, ...more] = await told(server);
      assert.match(refused!, /^PEFT0706 .*it answered 500.*disk full/);
      assert.equal(more, []);
    }, true);
    const [gone, ...more] = await told(address);
    assert.match(gone!, /^PEFT0706 .*ECONNREFUSED/);
    assert.equal(more, []);
    const unnamed = await told(undefined);
    assert.is(unnamed.length, 1);
    assert.match(unnamed[0]!, /MLFLOW_TRACKING_URI/);
  });

  test("a command that does not train asks no server", () => {
    const warnings: RunEvent[] = [];
    loggingTo(job, "/nowhere", (event) => warnings.push(event), {}, false);
    assert.equal(warnings, []);
  });
});
