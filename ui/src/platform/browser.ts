import type { Platform } from "./platform";

export const browser: Platform = {
  kind: "browser",
  pickFolder: null,
  copyText: async (text) => {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text);
      return;
    }
    // The clipboard API exists only on HTTPS and localhost; most homes open Loge by its plain LAN address.
    const area = document.createElement("textarea");
    area.value = text;
    area.style.position = "fixed";
    area.style.opacity = "0";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("This browser does not let the page copy.");
  },
  autostart: null,
};
