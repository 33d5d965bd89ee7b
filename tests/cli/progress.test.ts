// The bar, on a terminal that is a list of writes: what a person would see after each, and that nothing flickers or is left behind.

// biome-ignore-all lint/suspicious/noControlCharactersInRegex: the cursor is moved by control sequences, which this is about.

import { interruptible, type Signals } from "../../cli/interrupt.ts";
import { wantsColour } from "../../cli/io.ts";
import { clock, progressOn } from "../../cli/render/progress.ts";
import { bytes, metric, renderTable } from "../../cli/render/table.ts";
import { assert, group } from "../harness.ts";

const screen = (terminal: boolean, width = 80) => {
  const writes: string[] = [];
  let time = 0;
  let columns = width;
  const stream = {
    write: (text: string) => void writes.push(text),
    terminal,
    columns: () => (terminal ? columns : undefined),
    colour: false,
  };
  return {
    writes,
    bar: progressOn(stream, () => time),
    wait: (milliseconds: number) => {
      time += milliseconds;
    },
    resize: (to: number) => {
      columns = to;
    },
    /** The text of the last write, without what moves the cursor. */
    shown: () => writes.at(-1)!.replace(/\u001b\[\d*[A-Z]|\r/g, ""),
  };
};

const state = (done: number) => ({ what: "train menu", done, total: 600, loss: 0.9123, tokensPerSecond: 5120 });

group("progress", (test) => {
  test("fits the terminal at every width, the count always in it", () => {
    for (const width of [20, 30, 40, 60, 80, 120, 300]) {
      const { bar, shown } = screen(true, width);
      bar.update(state(240));
      assert.ok(shown().length < width, `${shown().length} at ${width}`);
      assert.match(shown(), "240/600");
    }
    const { bar, shown } = screen(true, 80);
    bar.update(state(240));
    assert.match(shown(), /^train menu {2}━+─+ {2}240\/600 {2}loss 0\.9123 {2}5\.12 ktok\/s {2}/);
  });

  test("one write per redraw, that overwrites before it erases", () => {
    const { bar, writes, wait } = screen(true);
    bar.update(state(1));
    wait(50);
    bar.update(state(2));
    assert.is(writes.length, 1, "a second redraw within a tenth of a second");
    wait(60);
    bar.update(state(3));
    assert.is(writes.length, 2);
    assert.match(writes[1]!, /^\r[^\r\n]+\u001b\[K$/);
  });

  test("after the terminal became narrower, the rows the old line wraps over are cleared", () => {
    const { bar, writes, wait, resize } = screen(true, 100);
    bar.update(state(1));
    resize(40);
    wait(200);
    bar.update(state(2));
    assert.match(writes[1]!, /^\r\u001b\[2A\u001b\[J/);
  });

  test("the last state is drawn even when it came too soon, and the line is ended", () => {
    const { bar, writes, wait } = screen(true);
    bar.update(state(1));
    wait(10);
    bar.update(state(2));
    bar.end();
    assert.match(writes.at(-2)!, "2/600");
    assert.is(writes.at(-1), "\n");
  });

  test("a status is overwritten and leaves nothing", () => {
    const { bar, writes } = screen(true);
    bar.status("load the base");
    bar.update(state(600));
    assert.equal(writes.slice(0, 2), ["\rload the base …\u001b[K", "\r\u001b[K"]);
  });

  test("without a terminal: plain lines, the first, one in ten seconds, the last", () => {
    const { bar, writes, wait } = screen(false);
    bar.status("load the base");
    for (let step = 1; step <= 600; step++) {
      wait(100);
      bar.update(state(step));
    }
    bar.end();
    assert.is(writes.length, 7);
    assert.match(writes[0]!, /^train menu: {2}1\/600 {2}loss 0\.9123 {2}5\.12 ktok\/s {2}\d+:\d\d left\n$/);
    assert.match(writes.at(-1)!, "600/600");
    for (const line of writes) assert.not.match(line, /[\r\u001b]/);
  });

  test("numbers as a person reads them", () => {
    assert.equal([0, 42_000, 725_000, 10_870_000].map(clock), ["0:00", "0:42", "12:05", "3:01:10"]);
    assert.equal([0, 1023, 1024, 1536, 1610612736].map(bytes), ["0 B", "1023 B", "1.00 KiB", "1.50 KiB", "1.50 GiB"]);
    assert.equal([12, 999, 1000, 1234567].map(metric), ["12 ", "999 ", "1.00 k", "1.23 M"]);
  });

  test("a table lines up numbers on the right, wide characters too", () => {
    const table = renderTable(
      [{ title: "name" }, { title: "n", align: "right" }],
      [
        ["名前", 1234567],
        ["a", 1],
      ],
      "",
    );
    assert.is(table, "name          n\n名前  1,234,567\na             1\n");
  });
});

group("interrupt", (test) => {
  const signals = () => {
    const listeners = new Map<string, () => void>();
    const exits: number[] = [];
    const fake: Signals = {
      on: (signal, listener) => void listeners.set(signal, listener),
      off: (signal) => void listeners.delete(signal),
      exit: (code) => void exits.push(code),
    };
    return { fake, exits, listeners, send: (signal: string) => listeners.get(signal)!() };
  };

  test("Ctrl-C once asks to stop and says so; twice exits now with 130", () => {
    const { fake, exits, send } = signals();
    const said: string[] = [];
    const interrupt = interruptible((line) => said.push(line), fake);
    assert.is(interrupt.code(), undefined);
    send("SIGINT");
    assert.equal([interrupt.signal.aborted, interrupt.code(), exits.length, said.length], [true, 130, 0, 1]);
    send("SIGINT");
    assert.equal(exits, [130]);
  });

  test("SIGTERM stops too, as 143; disposing takes the listeners away", () => {
    const { fake, send, listeners } = signals();
    const interrupt = interruptible(() => {}, fake);
    send("SIGTERM");
    assert.is(interrupt.code(), 143);
    interrupt.dispose();
    assert.is(listeners.size, 0);
  });
});

group("colour", (test) => {
  test("only on a terminal; NO_COLOR and FORCE_COLOR decide before that", () => {
    assert.equal(
      [
        wantsColour(true, {}),
        wantsColour(false, {}),
        wantsColour(true, { NO_COLOR: "1" }),
        wantsColour(true, { NO_COLOR: "" }),
        wantsColour(false, { FORCE_COLOR: "1" }),
        wantsColour(true, { TERM: "dumb" }),
      ],
      [true, false, false, true, true, false],
    );
  });
});
