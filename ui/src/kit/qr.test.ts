import decodeQR from "qr/decode.js";
import { expect, it } from "vitest";
import { type Qr, qrOf } from "./qr";

/** The code as a camera sees it: four pixels for each square. */
function photograph({ side, path }: Qr): { width: number; height: number; data: Uint8Array } {
  const scale = 4;
  const width = side * scale;
  const data = new Uint8Array(width * width * 4).fill(255);
  for (const [, x, y] of path.matchAll(/M(\d+) (\d+)h1v1h-1z/g)) {
    for (let dy = 0; dy < scale; dy += 1) {
      for (let dx = 0; dx < scale; dx += 1)
        data.fill(0, ((Number(y) * scale + dy) * width + Number(x) * scale + dx) * 4, ((Number(y) * scale + dy) * width + Number(x) * scale + dx) * 4 + 3);
    }
  }
  return { width, height: width, data };
}

it.each(["http://192.168.178.20:8096/invite#kX3v9QmT2bL7", "http://[fd00::1234:5678:9abc:def0]:8096/invite#kX3v9QmT2bL7wZr8pQ1s"])(
  "reads back what it was made of: %s",
  (text) => {
    expect(decodeQR(photograph(qrOf(text)))).toBe(text);
  },
);

it("another text is another code", () => {
  expect(decodeQR(photograph(qrOf("a")))).not.toBe("b");
});
