// How the bytes reach a viewer, in words and as a small sign.

export interface MethodWord {
  name: string;
  meaning: string;
  /** Path of the sign in a 16 by 16 box; shapes differ, so that colour is never needed. */
  sign: string;
}

const METHODS: Record<string, MethodWord> = {
  direct: { name: "Direct", meaning: "The file goes out as it is.", sign: "M5 3.2 L12.6 8 L5 12.8 Z" },
  remux: { name: "Remux", meaning: "The same picture in another wrapping.", sign: "M2.5 5.5 H11 L8.6 3 M13.5 10.5 H5 L7.4 13" },
  rendition: {
    name: "Rendition",
    meaning: "A smaller version made ahead of time.",
    sign: "M8 2.5 L14 5.6 L8 8.7 L2 5.6 Z M2.6 8.6 L8 11.4 L13.4 8.6 M2.6 11 L8 13.8 L13.4 11",
  },
  transcode: { name: "Live", meaning: "Encoded live while it plays; this costs the most CPU.", sign: "M9.2 1.8 L3.6 9 H7.4 L6.6 14.2 L12.4 6.8 H8.4 Z" },
};

export const methodWord = (method: string): MethodWord => METHODS[method] ?? { name: method, meaning: "", sign: "M4 8 H12" };
export const methodFilled = (method: string): boolean => method === "direct" || method === "transcode";
