// What goes on in front of the picture: what the video element tells, what hands and keys order, when the controls show.
// The components only draw it.

import { TAP_MS, Taps } from "./gestures";
import { nextSpeed, type Order, orderOf, type Panel } from "./keys";
import type { Playback } from "./playback.svelte";
import { isFull, leaveFull, toggleFull, togglePip } from "./screen";
import { firstOf, habitOf, pick, rememberedHabit, rememberHabit } from "./subtitles";
import { rememberedVolume, rememberVolume } from "./volume";

export interface Span {
  start: number;
  end: number;
}

const HIDE_MS = 2000;
const JUMP_SHOWN_MS = 700;

export class Stage {
  readonly playback: Playback;
  /** What of the house's lists says how long the film is, until the picture itself does. */
  readonly #told: () => number;
  readonly #leave: () => void;
  #video: HTMLVideoElement | null = null;
  #element: HTMLElement | null = null;

  position = $state(0);
  paused = $state(true);
  waiting = $state(false);
  ended = $state(false);
  volume = $state(1);
  muted = $state(false);
  speed = $state(1);
  full = $state(false);
  panel = $state<Panel | null>(null);
  buffered = $state.raw<readonly Span[]>([]);
  jump = $state<{ seconds: number; count: number } | null>(null);
  #duration = $state(0);
  #busyHands = $state(true);
  /** Chosen in this sitting; undefined is by habit. */
  #chosen = $state<number | null | undefined>(undefined);
  #before: number | null = null;
  #hideTimer: ReturnType<typeof setTimeout> | undefined;
  #jumpTimer: ReturnType<typeof setTimeout> | undefined;
  #tapTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #taps = new Taps();

  readonly length = $derived.by(() => (this.#duration > 0 ? this.#duration : (this.playback.play?.duration_s ?? this.#told())));
  readonly shown = $derived.by(() => this.#busyHands || this.paused || this.panel !== null || this.ended || this.playback.refusal !== null);
  readonly subtitles = $derived.by(() => this.playback.play?.subtitles ?? []);
  readonly #subtitle = $derived.by(() => (this.#chosen === undefined ? pick(this.subtitles, rememberedHabit()) : this.#chosen));
  /** The subtitle in the picture. */
  readonly track = $derived.by(() => this.subtitles.find((one) => one.index === this.#subtitle && one.url !== null));

  constructor(playback: Playback, told: () => number, leave: () => void) {
    this.playback = playback;
    this.#told = told;
    this.#leave = leave;
  }

  /** Takes the room the player fills; gives what ends it. */
  enter(element: HTMLElement): () => void {
    this.#element = element;
    element.focus({ preventScroll: true });
    this.stir();
    const changed = () => {
      this.full = isFull();
    };
    document.addEventListener("fullscreenchange", changed);
    document.addEventListener("webkitfullscreenchange", changed);
    return () => {
      document.removeEventListener("fullscreenchange", changed);
      document.removeEventListener("webkitfullscreenchange", changed);
      clearTimeout(this.#hideTimer);
      clearTimeout(this.#jumpTimer);
      clearTimeout(this.#tapTimer);
      void leaveFull().catch(() => {});
      this.#element = null;
    };
  }

  /** Takes the video element and begins; `from` is where, null is where somebody was. */
  start(video: HTMLVideoElement, from: number | null): () => void {
    this.#video = video;
    const kept = rememberedVolume();
    video.volume = kept.volume;
    video.muted = kept.muted;
    const stop = new AbortController();
    for (const [name, tell] of Object.entries(this.#tellers(video))) video.addEventListener(name, tell, { signal: stop.signal });
    const close = this.playback.start(video, from);
    return () => {
      close();
      stop.abort();
      this.#video = null;
    };
  }

  #tellers(video: HTMLVideoElement): Record<string, () => void> {
    const { playback } = this;
    return {
      timeupdate: () => {
        if (playback.opening) return;
        if (!video.seeking) this.position = video.currentTime;
        playback.moved();
      },
      durationchange: () => {
        this.#duration = Number.isFinite(video.duration) ? video.duration : 0;
      },
      progress: () => {
        this.buffered = Array.from({ length: video.buffered.length }, (_, i) => ({ start: video.buffered.start(i), end: video.buffered.end(i) }));
      },
      play: () => {
        this.paused = false;
        this.ended = false;
        this.stir();
      },
      playing: () => {
        this.waiting = false;
        playback.playing();
      },
      pause: () => {
        this.paused = true;
        playback.paused();
      },
      waiting: () => {
        this.waiting = true;
      },
      canplay: () => {
        this.waiting = false;
      },
      seeked: () => {
        this.waiting = false;
        playback.sought();
      },
      ended: () => {
        this.ended = true;
        playback.ended();
      },
      error: () => playback.failed(),
      volumechange: () => {
        this.volume = video.volume;
        this.muted = video.muted;
        rememberVolume({ volume: video.volume, muted: video.muted });
      },
      ratechange: () => {
        // A film that holds is at speed 0, which nobody chose.
        if (video.playbackRate > 0) this.speed = video.playbackRate;
      },
    };
  }

  /** Hands on the controls: show them, and hide them two seconds after the last touch. */
  stir = () => {
    this.#busyHands = true;
    clearTimeout(this.#hideTimer);
    this.#hideTimer = setTimeout(() => {
      // Somebody who walks through the controls by keyboard must not lose them.
      if (this.#element?.querySelector(".bars :focus-visible")) this.stir();
      else this.#busyHands = false;
    }, HIDE_MS);
  };

  toggle = () => {
    const video = this.#video;
    if (!video || this.playback.refusal) return;
    if (this.ended) {
      this.ended = false;
      this.position = 0;
      this.playback.startOver();
    } else if (video.paused) void video.play().catch(() => {});
    else video.pause();
  };

  seek = (to: number) => {
    if (!this.#video || this.length <= 0) return;
    this.ended = false;
    const goal = Math.max(0, Math.min(this.length - 0.2, to));
    this.position = goal;
    this.#video.currentTime = goal;
  };

  by = (seconds: number) => {
    const video = this.#video;
    this.seek((video?.seeking ? this.position : (video?.currentTime ?? 0)) + seconds);
    const { jump } = this;
    this.jump = { seconds: jump && Math.sign(jump.seconds) === Math.sign(seconds) ? jump.seconds + seconds : seconds, count: (jump?.count ?? 0) + 1 };
    clearTimeout(this.#jumpTimer);
    this.#jumpTimer = setTimeout(() => {
      this.jump = null;
    }, JUMP_SHOWN_MS);
  };

  /** Whoever closed a leaf goes on with the keys of the player. */
  close() {
    this.panel = null;
    this.#element?.focus({ preventScroll: true });
  }

  setVolume = (to: number) => {
    const video = this.#video;
    if (!video) return;
    video.volume = Math.max(0, Math.min(1, Math.round(to * 100) / 100));
    video.muted = video.volume === 0;
  };

  setSpeed = (to: number) => {
    this.speed = to;
    this.playback.setSpeed(to);
  };

  /** Null is no subtitle. */
  show = (index: number | null) => {
    if (this.#subtitle !== null) this.#before = this.#subtitle;
    this.#chosen = index;
    rememberHabit(habitOf(this.subtitles.find((one) => one.index === index)));
  };

  act = (order: Order) => {
    const video = this.#video;
    if (!video || !this.#element) return;
    switch (order.do) {
      case "toggle":
        return this.toggle();
      case "by":
        return this.by(order.seconds);
      case "to":
        return this.seek(this.length * order.share);
      case "louder":
        return this.setVolume(video.volume + order.by);
      case "mute":
        video.muted = !video.muted;
        return;
      case "faster":
        return this.setSpeed(nextSpeed(this.speed, order.by));
      case "subtitles":
        return this.show(this.#subtitle === null ? firstOf(this.subtitles, this.#before) : null);
      case "fullscreen":
        void toggleFull(this.#element, video).catch(() => {});
        return;
      case "pip":
        void togglePip(video).catch(() => {});
        return;
      case "receipt":
      case "keys":
      case "options":
      case "chapters":
        this.panel = this.panel === order.do ? null : order.do;
        return;
      case "back":
        if (this.panel !== null) this.close();
        else if (isFull()) void leaveFull();
        else this.#leave();
    }
  };

  key = (event: KeyboardEvent) => {
    const on = event.target instanceof Element && event.target.closest("button, a, select, input, [role=slider]") !== null;
    const order = orderOf(event, on);
    if (!order || (on && (event.target as Element).matches("select, input") && order.do !== "back")) return;
    event.preventDefault();
    this.stir();
    this.act(order);
  };

  /** A mouse click plays and pauses; a finger shows or hides the controls, and twice at a side jumps. */
  press = (event: PointerEvent) => {
    if (event.button !== 0) return;
    // A press beside an open list is meant for the list.
    if (this.panel === "options" || this.panel === "chapters") {
      this.close();
      return;
    }
    if (event.pointerType === "mouse") {
      this.toggle();
      return;
    }
    const wasShown = this.shown;
    const box = this.#element?.getBoundingClientRect();
    const tapped = this.#taps.tap(performance.now(), box ? (event.clientX - box.left) / box.width : 0.5);
    clearTimeout(this.#tapTimer);
    if (tapped.is === "jump") {
      this.by(tapped.seconds);
      return;
    }
    this.#tapTimer = setTimeout(() => {
      if (wasShown && !this.paused) this.#busyHands = false;
      else this.stir();
    }, TAP_MS);
  };
}
