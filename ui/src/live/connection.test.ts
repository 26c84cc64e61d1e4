import { afterEach, describe, expect, it, vi } from "vitest";
import { Connection, type LiveEvent } from "./connection";

/** A house whose streams the test writes into by hand. */
function house() {
  const opened: { headers: Record<string, string>; write: (text: string) => void; drop: () => void }[] = [];
  const waits: number[] = [];
  let refuse: Error | null = null;
  const around = {
    open: async (headers: Record<string, string>) => {
      if (refuse) throw refuse;
      let control: ReadableStreamDefaultController<Uint8Array> | null = null;
      const stream = new ReadableStream<Uint8Array>({
        start: (c) => {
          control = c;
        },
      });
      opened.push({ headers, write: (text) => control?.enqueue(new TextEncoder().encode(text)), drop: () => control?.close() });
      return stream;
    },
    sleep: async (ms: number) => {
      waits.push(ms);
      // A whole turn of the loop: a house that is away must not keep the test from ever looking.
      await new Promise((done) => setTimeout(done));
    },
    random: () => 0.5,
    worthRetrying: (error: unknown) => !(error instanceof RangeError),
  };
  return {
    around,
    opened,
    waits,
    refuse: (error: Error | null) => {
      refuse = error;
    },
  };
}

const until = (test: () => boolean) => vi.waitFor(() => expect(test()).toBe(true));
let running: Connection | null = null;
afterEach(() => running?.stop());

function connect(h: ReturnType<typeof house>) {
  const events: LiveEvent[] = [];
  const states: boolean[] = [];
  running = new Connection(
    h.around,
    (e) => events.push(e),
    (s) => states.push(s),
  );
  running.start();
  return { events, states };
}

describe("the live connection", () => {
  it("resumes after the last event it has seen", async () => {
    const h = house();
    const { events, states } = connect(h);
    await until(() => h.opened.length === 1);
    expect(h.opened[0]?.headers).toEqual({});
    h.opened[0]?.write('event: title\nid: 41\ndata: {"title_id":"t"}\n\n');
    await until(() => events.length === 1);
    h.opened[0]?.drop();
    await until(() => h.opened.length === 2);
    expect(h.opened[1]?.headers).toEqual({ "last-event-id": "41" });
    expect(states).toEqual([true, false, true]);
    expect(events.map((e) => e.type)).toEqual(["title"]);
  });

  it("says resync when it comes back without knowing where it was", async () => {
    const h = house();
    const { events } = connect(h);
    await until(() => h.opened.length === 1);
    h.opened[0]?.drop();
    await until(() => events.length === 1);
    expect(events[0]?.type).toBe("resync");
  });

  it("says resync when the house has begun to count anew", async () => {
    const h = house();
    const { events } = connect(h);
    await until(() => h.opened.length === 1);
    h.opened[0]?.write("event: users\nid: 500\ndata: {}\n\n");
    await until(() => events.length === 1);
    h.opened[0]?.drop();
    await until(() => h.opened.length === 2);
    h.opened[1]?.write('event: hello\nid: 3\ndata: {"seq":3}\n\n');
    await until(() => events.length === 3);
    expect(events.map((e) => e.type)).toEqual(["users", "resync", "hello"]);
  });

  it("waits longer after each failure, and starts short again after success", async () => {
    const h = house();
    h.refuse(new Error("away"));
    connect(h);
    await until(() => h.waits.length >= 7);
    expect(h.waits.slice(0, 7).map(Math.round)).toEqual([400, 800, 1600, 3200, 6400, 12_800, 15_000]);
    h.refuse(null);
    await until(() => h.opened.length === 1);
    const before = h.waits.length;
    h.opened[0]?.drop();
    await until(() => h.waits.length > before);
    expect(Math.round(h.waits[before] ?? 0)).toBe(400);
  });

  it("stops when trying again is pointless", async () => {
    const h = house();
    h.refuse(new RangeError("signed out"));
    const { states } = connect(h);
    await until(() => states.length > 0);
    expect(h.waits).toEqual([]);
  });

  it("skips what is not JSON", async () => {
    const h = house();
    const { events } = connect(h);
    await until(() => h.opened.length === 1);
    h.opened[0]?.write("event: a\ndata: {oops\n\nevent: b\ndata: 1\n\n");
    await until(() => events.length === 1);
    expect(events).toEqual([{ type: "b" }]);
  });
});
