// Short news at the edge of the page. Never the only place for an error that needs a decision.

export type Tone = "good" | "plain" | "trouble";
export interface Toast {
  id: number;
  tone: Tone;
  text: string;
  action?: { text: string; run: () => void };
}

const LIFE_MS: Record<Tone, number> = { good: 4000, plain: 6000, trouble: 9000 };
const MOST = 4;

class Toasts {
  #list = $state.raw<readonly Toast[]>([]);
  #next = 1;
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();

  get list(): readonly Toast[] {
    return this.#list;
  }
  good = (text: string, action?: Toast["action"]) => this.#add("good", text, action);
  plain = (text: string, action?: Toast["action"]) => this.#add("plain", text, action);
  trouble = (text: string, action?: Toast["action"]) => this.#add("trouble", text, action);

  dismiss(id: number) {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#list = this.#list.filter((t) => t.id !== id);
  }

  /** While somebody reads or reaches for one, none goes away. */
  hold() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
  release() {
    for (const toast of this.#list) this.#wait(toast);
  }

  #add(tone: Tone, text: string, action?: Toast["action"]) {
    const same = this.#list.find((t) => t.text === text);
    if (same) this.dismiss(same.id);
    const toast: Toast = action ? { id: this.#next++, tone, text, action } : { id: this.#next++, tone, text };
    this.#list = [...this.#list, toast].slice(-MOST);
    this.#wait(toast);
  }

  #wait(toast: Toast) {
    clearTimeout(this.#timers.get(toast.id));
    this.#timers.set(
      toast.id,
      setTimeout(() => this.dismiss(toast.id), LIFE_MS[toast.tone]),
    );
  }
}

export const toast = new Toasts();
