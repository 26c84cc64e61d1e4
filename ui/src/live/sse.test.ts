import { expect, it } from "vitest";
import { SseParser } from "./sse";

const bytes = (text: string) => new TextEncoder().encode(text);
const STREAM = 'event: hello\nid: 7\ndata: {"seq":7}\n\n: heartbeat\n\nevent: title\r\nid: 8\r\ndata: {"a":\r\ndata: "ü"}\r\n\r\ndata\n\nid: 9\n\n';
const WANT = [
  { type: "hello", data: '{"seq":7}', id: "7" },
  { type: "title", data: '{"a":\n"ü"}', id: "8" },
  { type: "message", data: "", id: "8" },
];

it("reads events, comments and both kinds of line ends", () => {
  expect(new SseParser().push(bytes(STREAM))).toEqual(WANT);
});
it("does not care where the chunks end, even inside a letter", () => {
  const all = bytes(STREAM);
  for (let size = 1; size < 9; size += 1) {
    const parser = new SseParser();
    const events = [];
    for (let at = 0; at < all.length; at += size) events.push(...parser.push(all.slice(at, at + size)));
    expect(events).toEqual(WANT);
  }
});
it("forgets a half-sent event", () => {
  const parser = new SseParser();
  expect(parser.push(bytes("event: a\ndata: 1\n"))).toEqual([]);
});
