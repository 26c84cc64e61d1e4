// One sitting in front of one title: asks for a stream, keeps it alive, and heals it when the house or the loge restarts.
import { api } from "../api/client";
import { failureOf, sayFailure } from "../api/errors";
import type { Play } from "../api/types";
import { Attempts, type Next, type Trouble } from "./attempts";
import { capabilities } from "./capabilities";
import { judge, StallWatch, stopOf } from "./healing";
import { lowerOf, Narrow, sayNarrow } from "./narrow";
import { ProgressReporter } from "./progress";
import { changeTo, rememberedQuality, rememberQuality, slower } from "./quality";
import { attach, isSegmented, refused, type Source } from "./source";

export interface Refusal {
  title: string;
  text: string;
  action: "again" | "back" | "prepare";
}

const SAY_AFTER_MS = 1500;
/** Showing so much in one go means that the stream works. */
const MOVED_S = 1;
/** Standing longer than this while bytes arrive means that the way is too narrow; where the player can still change to a smaller picture by itself, it gets more. */
const NARROW_MS = 4_000;
const NARROW_AUTO_MS = 12_000;

export interface Holding {
  text: string;
  /** A quality, or null for the house's own choice; undefined where nothing is lower. */
  lower: string | null | undefined;
}

export class Playback {
  readonly titleId: string;
  readonly reporter: ProgressReporter;
  #video: HTMLVideoElement | null = null;
  #play = $state.raw<Play | null>(null);
  #refusal = $state.raw<Refusal | null>(null);
  #notice = $state("");
  #opening = $state(true);
  /** The browser wants a press before it begins a film with sound. */
  #wantsPress = $state(false);
  #attempt = 0;
  readonly #attempts = new Attempts();
  #position = 0;
  /** Where the film last was when it had surely moved on. */
  #movedTo = 0;
  /** The quality the play that runs was asked for with; null is the house's own choice. */
  #asked: string | null = null;
  /** A plain file that came too slowly: bits a second that are expected from then on. */
  #expect: number | null = null;
  #wantsToPlay = true;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #speak: ReturnType<typeof setTimeout> | undefined;
  #stop = new AbortController();
  #source: Source | null = null;
  /** What was chosen in the menus; null is the house's own choice. */
  #quality = $state<string | null>(rememberedQuality());
  #sound = $state<number | null>(null);
  /** The picture in sight, where the playlist has several. */
  #shows = $state<string | null>(null);
  readonly #stall = new StallWatch();
  readonly #narrow = new Narrow();
  /** Why the film holds until more has arrived, and what a press on "use a lower quality" chooses. */
  #holding = $state.raw<Holding | null>(null);

  constructor(titleId: string) {
    this.titleId = titleId;
    this.reporter = new ProgressReporter(
      (report, keepalive) => api.put<void>(`/titles/${encodeURIComponent(titleId)}/progress`, report, { keepalive }),
      () => performance.now(),
    );
  }

  get play() {
    return this.#play;
  }
  get refusal() {
    return this.#refusal;
  }
  /** A sentence for the picture while something is being waited for. */
  get notice() {
    return this.#notice;
  }
  get opening() {
    return this.#opening;
  }
  get wantsPress() {
    return this.#wantsPress;
  }
  /** The film holds since its way is too narrow. */
  get holding() {
    return this.#holding;
  }
  get position() {
    return this.#position;
  }
  /** What was chosen, where this film has it; null is the house's own choice. */
  get quality() {
    return this.#play?.qualities.some((one) => one.id === this.#quality) ? this.#quality : null;
  }
  /** The picture in sight. */
  get shows() {
    return this.#shows ?? this.#play?.quality ?? null;
  }
  /** The sound track that plays. */
  get sound() {
    return this.#sound ?? this.#play?.audio_tracks.find((track) => track.selected)?.index ?? 0;
  }
  get bandwidth() {
    return this.#source?.bandwidth() ?? null;
  }

  chooseQuality = (quality: string | null) => {
    if (quality === this.#quality) return;
    this.#letGo();
    this.#narrow.reset();
    this.#quality = quality;
    rememberQuality(quality);
    const play = this.#play;
    if (!play || this.#opening) return this.#goOn();
    const plan = changeTo(play, this.#asked, quality);
    if (plan === "stay" || (plan === "level" && this.#source?.chooseQuality(quality))) return;
    this.#goOn();
  };
  chooseSound = (index: number) => {
    if (index === this.sound) return;
    this.#sound = index;
    // Segments carry all sounds; a plain file has to be asked for in another form.
    if (!this.#source?.chooseSound(index)) this.#goOn();
  };

  /** The press that is offered while the film holds. */
  useLower = () => {
    const lower = this.#holding?.lower;
    if (lower !== undefined) this.chooseQuality(lower);
  };
  /** A film that holds is at speed 0 and takes the new one when it goes on. */
  setSpeed(to: number) {
    const video = this.#video;
    if (!video) return;
    // What survives another stream in the same element.
    video.defaultPlaybackRate = to;
    if (!this.#holding) video.playbackRate = to;
  }

  /** Another stream of the same film, at the same place. */
  #goOn() {
    if (this.#video && !this.#opening) this.#position = this.#video.currentTime;
    this.#refusal = null;
    void this.#open(this.#position > 0 ? this.#position : null);
  }

  /** Takes over the video element. `from` is where to begin; without it the house says where somebody was. */
  start(video: HTMLVideoElement, from: number | null): () => void {
    this.#video = video;
    void this.#open(from);
    const watch = setInterval(() => this.#look(), 1000);
    const leaving = () => this.#close();
    // Phones freeze a page instead of unloading it; what is not said now may never be said.
    const hidden = () => {
      if (document.visibilityState === "hidden" && !video.ended && !this.#opening && this.#play) this.reporter.report("time", this.#position);
    };
    const back = () => this.#opening && this.#heal(0, "");
    window.addEventListener("pagehide", leaving);
    document.addEventListener("visibilitychange", hidden);
    window.addEventListener("online", back);
    return () => {
      clearInterval(watch);
      window.removeEventListener("pagehide", leaving);
      document.removeEventListener("visibilitychange", hidden);
      window.removeEventListener("online", back);
      this.#close();
      this.reporter.end();
      this.#stop.abort();
      clearTimeout(this.#timer);
      clearTimeout(this.#speak);
      this.#video = null;
      this.#source?.detach();
      this.#source = null;
    };
  }

  /** The play was ended from outside. What has no word of its own is asked for again, and the answer says the rest. */
  stopped(code: string, sentence: string) {
    const stop = stopOf(code, sentence);
    if (stop) this.refuse(stop);
    else this.#heal(0, "The picture stopped. Going on at the same place…");
  }

  /** The one button of every refusal: once more, at the same place. */
  again = () => {
    // A press begins a new play; a player that heals itself names the play it goes on with, and may not after a stop.
    this.#play = null;
    this.#attempt = 0;
    this.#attempts.forget();
    this.#refusal = null;
    void this.#open(this.#position > 0 ? this.#position : null);
  };

  /** A film that has ended has given its seat back: once more is another play. */
  startOver() {
    this.#position = 0;
    this.#wantsToPlay = true;
    void this.#open(0);
  }

  refuse(refusal: Refusal) {
    clearTimeout(this.#timer);
    clearTimeout(this.#speak);
    this.#notice = "";
    this.#opening = false;
    // An answer that comes after this would begin what nobody sees.
    this.#stop.abort();
    this.#refusal = refusal;
    this.#video?.pause();
  }

  // Events of the video element.
  moved() {
    const video = this.#video;
    if (!video || this.#opening || video.seeking) return;
    if (video.currentTime > this.#movedTo + MOVED_S) {
      this.#movedTo = video.currentTime;
      this.#attempts.moved();
    }
    this.#position = video.currentTime;
    if (!video.paused) this.reporter.moved(this.#position);
  }
  playing() {
    this.#wantsPress = false;
    this.#wantsToPlay = true;
    this.#attempt = 0;
    this.#settled();
    this.reporter.report("play", this.#position);
  }
  paused() {
    const video = this.#video;
    // A decoder that fails stops the film too, without a press by the viewer.
    if (!video || this.#opening || video.ended || video.error) return;
    this.#wantsToPlay = false;
    this.reporter.report("pause", video.currentTime);
  }
  sought() {
    const video = this.#video;
    if (!video || this.#opening) return;
    this.#position = video.currentTime;
    this.#narrow.forget();
    this.reporter.report("seek", this.#position);
  }
  ended() {
    this.#wantsToPlay = false;
    this.reporter.report("ended", this.#video?.duration ?? this.#position);
  }
  failed() {
    const video = this.#video;
    // hls.js handles its own errors first and says when it is at its end.
    if (!video?.error || this.#refusal || (this.#play && isSegmented(this.#play))) return;
    const decoder = video.error.code === MediaError.MEDIA_ERR_DECODE || video.error.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED;
    this.#broke(decoder ? { kind: "decoder" } : refused({ kind: "unreachable" }));
  }

  #broke(trouble: Trouble) {
    if (this.#refusal || !this.#play) return;
    this.#take(this.#attempts.after(this.#play, trouble, this.#attempt));
  }

  #take(next: Next) {
    if (next.kind === "refuse") return this.refuse(next);
    if (next.kind === "again") return this.#heal(next.ms, next.say);
    const end = (this.#play?.duration_s ?? 0) - 1;
    this.#position = Math.max(this.#position, Math.min(this.#position + next.by_s, end));
    this.#movedTo = this.#position;
    this.#heal(0, next.say);
  }

  async #open(from: number | null) {
    clearTimeout(this.#timer);
    this.#stop.abort();
    const stop = new AbortController();
    this.#stop = stop;
    this.#opening = true;
    this.#letGo();
    try {
      const play = await this.#ask(stop.signal);
      const video = this.#video;
      if (stop.signal.aborted || !video) return;
      this.#play = play;
      this.reporter.play(play.play_id);
      const begin = from ?? play.resume_at_s;
      this.#position = begin;
      this.#movedTo = begin;
      this.#source?.detach();
      this.#source = null;
      const ready = () => {
        if (begin > 0.5) video.currentTime = begin;
        this.#opening = false;
        if (!this.#wantsToPlay) return this.#settled();
        void video.play().catch((error: unknown) => {
          if (stop.signal.aborted) return;
          this.#wantsPress = error instanceof DOMException && error.name === "NotAllowedError";
          this.#settled();
        });
      };
      video.addEventListener("loadedmetadata", ready, { once: true, signal: stop.signal });
      this.#shows = null;
      const told = {
        begin,
        quality: this.quality,
        expect: this.#expect,
        trouble: (trouble: Trouble) => this.#broke(trouble),
        wantsToPlay: () => this.#wantsToPlay,
        shows: (id: string) => {
          this.#shows = id;
        },
      };
      const source = await attach(video, play, told, stop.signal);
      if (stop.signal.aborted) return source.detach();
      this.#source = source;
    } catch (error) {
      if (stop.signal.aborted) return;
      const failure = failureOf(error);
      const verdict = judge(failure, this.#attempt, sayFailure(error));
      if (verdict.kind === "refuse") this.#take(this.#attempts.noOtherWay(failure) ?? verdict);
      else this.#heal(verdict.ms, verdict.say);
    }
  }

  /** A play that has what was chosen in its playlist, where there is one; else one for what was chosen alone. */
  async #ask(signal: AbortSignal): Promise<Play> {
    const able = await capabilities();
    const capable = this.#expect === null ? able : { ...able, downlink_kbps: Math.round(this.#expect / 1000) };
    const ask = (quality: string | null) => {
      this.#asked = quality;
      // Else the house would count the one before as a second film, or end another tab's.
      const replaces = this.#play ? { replaces: this.#play.play_id } : {};
      const failed = this.#attempts.failed;
      const wishes = {
        ...(quality === null ? {} : { quality }),
        ...(failed.length === 0 ? {} : { failed }),
        ...(this.#sound === null ? {} : { audio_track: this.#sound }),
      };
      return api.post<Play>(`/titles/${encodeURIComponent(this.titleId)}/play`, { capabilities: capable, ...wishes, ...replaces }, { signal });
    };
    const chosen = this.#quality;
    // What the play before said about it saves a question.
    if (chosen !== null && this.#play && changeTo(this.#play, null, chosen) === "play") return ask(chosen);
    const play = await ask(null);
    return chosen !== null && changeTo(play, null, chosen) === "play" ? ask(chosen) : play;
  }

  #heal(ms: number, say: string) {
    this.#opening = true;
    this.#attempt += 1;
    clearTimeout(this.#timer);
    // A hiccup of a second is nobody's business.
    if (this.#notice) this.#notice = say;
    else {
      clearTimeout(this.#speak);
      this.#speak = setTimeout(() => {
        this.#notice = say;
      }, SAY_AFTER_MS);
    }
    const from = this.#position > 0 ? this.#position : null;
    this.#timer = setTimeout(() => void this.#open(from), ms);
  }

  #look() {
    const video = this.#video;
    if (!video || this.#refusal) return;
    // While a stream is being opened the picture may not come at all: then the timer of that try is what counts.
    const waiting = this.#opening ? this.#play !== null && video.src !== "" && video.readyState < 1 && !video.error : !video.paused && !video.ended;
    const position = this.#opening ? this.#position : video.currentTime;
    const now = performance.now();
    const arrived = this.#source?.arrived() ?? 0;
    if (this.#stall.check(position, arrived, waiting, now)) {
      const behind = this.#opening ? null : behindHole(video.buffered, video.currentTime);
      if (behind !== null) {
        // What is missing was here and could not be taken: another stream would bring the same.
        video.currentTime = behind;
        return;
      }
      this.#expectLess();
      this.#heal(0, "The picture stopped. Going on at the same place…");
    } else if (!this.#opening) this.#fill(video, arrived, now);
  }

  /** A plain file cannot become smaller; a playlist can, where there are other versions. True where that is new. */
  #expectLess(): boolean {
    const play = this.#play;
    if (this.#opening || play?.method !== "direct" || this.#quality !== null || this.#expect !== null) return false;
    this.#expect = slower(play);
    return this.#expect !== null;
  }

  /** Holds a film that arrives too slowly, and lets it go on when enough is there. */
  #fill(video: HTMLVideoElement, arrived: number, now: number) {
    const play = this.#play;
    if (!play) return;
    const several = this.quality === null && play.qualities.filter((one) => one.in_playlist).length > 1;
    const sight = {
      now,
      stands: !video.paused && !video.ended && video.readyState < 3,
      arrived,
      ahead: aheadOf(video),
      left: video.duration - video.currentTime,
    };
    const order = this.#narrow.look(sight, several ? NARROW_AUTO_MS : NARROW_MS);
    if (order === "go") this.#letGo();
    if (order !== "hold") return;
    if (this.#expectLess()) return this.#heal(0, "A smaller picture suits the way to here.");
    const shown = play.qualities.find((one) => one.id === this.shows);
    this.#holding = { text: sayNarrow(this.bandwidth, shown?.bitrate_bps ?? 0), lower: lowerOf(play, shown, this.quality, this.bandwidth) };
    video.playbackRate = 0;
  }

  #letGo() {
    if (!this.#holding) return;
    this.#holding = null;
    if (this.#video) this.#video.playbackRate = this.#video.defaultPlaybackRate;
  }

  #settled() {
    clearTimeout(this.#speak);
    this.#notice = "";
    this.#opening = false;
  }

  #close() {
    if (this.#video && !this.#video.ended && this.#play) this.reporter.close(this.#position);
  }
}

/** Where the film goes on behind a place of which nothing lies ready although later parts do; null where there is no such hole. */
export function behindHole(buffered: Pick<TimeRanges, "length" | "start" | "end">, at: number): number | null {
  for (let i = 0; i < buffered.length; i += 1) {
    if (buffered.end(i) <= at) continue;
    const start = buffered.start(i);
    return start > at + 0.2 ? start + 0.05 : null;
  }
  return null;
}

/** Seconds that lie ready behind the place in sight. */
export function aheadOf(video: HTMLVideoElement): number {
  const { buffered, currentTime } = video;
  for (let i = 0; i < buffered.length; i += 1) {
    if (buffered.start(i) <= currentTime + 0.2 && buffered.end(i) > currentTime) return buffered.end(i) - currentTime;
  }
  return 0;
}
