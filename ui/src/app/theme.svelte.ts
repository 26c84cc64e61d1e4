import type { Theme } from "../api/types";

const KEY = "loge-theme";
const light = window.matchMedia("(prefers-color-scheme: light)");

/** The choice is kept on the device too, so that the first paint has the right colours before anybody has signed in. */
class ThemeChoice {
  #choice = $state<Theme>(remembered());

  get choice(): Theme {
    return this.#choice;
  }
  set(choice: Theme) {
    this.#choice = choice;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // A browser without storage follows the system at the next visit.
    }
    this.apply();
  }
  start() {
    light.addEventListener("change", () => this.apply());
    this.apply();
  }
  apply() {
    const dark = this.#choice === "dark" || (this.#choice === "system" && !light.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    document.querySelector('meta[name="theme-color"]')?.setAttribute("content", dark ? "#120d0c" : "#fcfaf6");
  }
}

function remembered(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "dark" || kept === "light" ? kept : "system";
  } catch {
    return "system";
  }
}

export const theme = new ThemeChoice();
