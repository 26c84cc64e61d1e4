// What the surroundings of the page can do. A browser on the LAN and the desktop window answer differently.
import { browser } from "./browser";
import { desktop } from "./desktop";

export interface Platform {
  readonly kind: "browser" | "desktop";
  /** The system's own folder picker; null where there is none. */
  readonly pickFolder: (() => Promise<string | null>) | null;
  readonly copyText: (text: string) => Promise<void>;
  /** Starting with the machine; null where the page cannot know. */
  readonly autostart: { get: () => Promise<boolean>; set: (enabled: boolean) => Promise<void> } | null;
}

export const platform: Platform = "__TAURI_INTERNALS__" in window ? desktop : browser;
