import type { Title } from "../api/types";
import { codec } from "../kit/words";

export interface Why {
  tone: "attention" | "trouble";
  word: string;
  text: string;
}

/** Why a title may not play at once, in words; null when nothing is in the way. */
export function why(title: Pick<Title, "playability" | "missing" | "container" | "video_codec" | "files">): Why | null {
  if (title.missing) {
    return {
      tone: "attention",
      word: "Not there at the moment",
      text: "The file is not where it was. If its disk is unplugged, the film comes back with it; nothing is lost.",
    };
  }
  switch (title.playability) {
    case "direct":
    // Wrapped anew while it plays, which nobody notices.
    case "remux":
    case "prepared":
      return null;
    case "needs_preparing":
      return {
        tone: "attention",
        word: "Needs preparing",
        text: `Browsers cannot play this file as it is (${[title.container.toUpperCase(), title.video_codec && codec(title.video_codec)].filter(Boolean).join(", ")}). Small films are turned into something they take while you watch; larger ones are prepared first.`,
      };
    case "broken":
      return {
        tone: "trouble",
        word: "Does not play",
        text: title.files.find((f) => f.defect_text)?.defect_text ?? "This file is damaged or is not a film. A fresh copy of it would help.",
      };
    case "unknown":
      return {
        tone: "attention",
        word: "Not examined yet",
        text: "Loge has found this file but has not looked inside it yet. That happens by itself while the library is scanned.",
      };
  }
}
