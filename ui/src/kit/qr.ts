// A text as the dark squares of a QR code. Pure.
import encodeQR from "qr";

export interface Qr {
  /** Squares along one side, the quiet border included. */
  side: number;
  /** The dark squares as one SVG path, one unit each. */
  path: string;
}

/** Readers need this many light squares around the code (ISO/IEC 18004, 9.1). */
const BORDER = 4;

export function qrOf(text: string): Qr {
  const rows = encodeQR(text, "raw", { ecc: "medium", border: BORDER });
  let path = "";
  rows.forEach((row, y) => {
    row.forEach((dark, x) => {
      if (dark) path += `M${x} ${y}h1v1h-1z`;
    });
  });
  return { side: rows.length, path };
}
