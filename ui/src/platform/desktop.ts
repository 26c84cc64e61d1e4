// The only file that knows the desktop shell. It offers exactly four commands.
import { invoke } from "@tauri-apps/api/core";
import type { Platform } from "./platform";

export const desktop: Platform = {
  kind: "desktop",
  pickFolder: () => invoke<string | null>("pick_folder"),
  copyText: (text) => invoke("copy_text", { text }),
  autostart: {
    get: () => invoke<boolean>("get_autostart"),
    set: (enabled) => invoke("set_autostart", { enabled }),
  },
};
