// Where the page is. Links are ordinary <a href>; this takes over the ones that stay inside.

class Router {
  #path = $state(location.pathname);
  #search = $state(location.search);
  /** Set while the way back leads out of Loge, so that "Back" can go home instead. */
  #depth = 0;

  get path() {
    return this.#path;
  }
  get search() {
    return this.#search;
  }

  start(): () => void {
    history.scrollRestoration = "manual";
    this.#depth = Number(history.state?.depth ?? 0);
    const popped = () => {
      this.#depth = Number(history.state?.depth ?? 0);
      this.#settle();
    };
    const clicked = (event: MouseEvent) => {
      const link = (event.target as Element | null)?.closest?.("a[href]");
      if (!(link instanceof HTMLAnchorElement) || event.defaultPrevented || event.button !== 0) return;
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.target || link.hasAttribute("download")) return;
      if (link.origin !== location.origin || link.pathname.startsWith("/api/") || link.getAttribute("href")?.startsWith("#")) return;
      event.preventDefault();
      this.go(link.pathname + link.search);
    };
    window.addEventListener("popstate", popped);
    document.addEventListener("click", clicked);
    return () => {
      window.removeEventListener("popstate", popped);
      document.removeEventListener("click", clicked);
    };
  }

  go(path: string, options: { replace?: boolean } = {}) {
    if (options.replace || path === location.pathname + location.search) {
      history.replaceState({ ...history.state, depth: this.#depth }, "", path);
    } else {
      history.replaceState({ ...history.state, scroll: window.scrollY }, "");
      this.#depth += 1;
      history.pushState({ depth: this.#depth }, "", path);
    }
    this.#settle();
  }

  /** One step back inside Loge, or to the place that makes sense when there is none. */
  back(otherwise: string) {
    if (this.#depth > 0) history.back();
    else this.go(otherwise, { replace: true });
  }

  /** Where this page was scrolled to when it was left. */
  get savedScroll(): number {
    return Number(history.state?.scroll ?? 0);
  }

  #settle() {
    this.#path = location.pathname;
    this.#search = location.search;
  }
}

export const router = new Router();
