// Puts a play into a video element: as one file, or in segments through hls.js, which is fetched only when it is needed.
import type { ErrorData, Fragment, default as Hls, RetryConfig } from "hls.js";
import { type Failure, parseProblem, sentence } from "../api/errors";
import type { Play } from "../api/types";
import type { Trouble } from "./attempts";

export interface Source {
  /** Sounds that can be changed without a new stream. */
  chooseSound: (index: number) => boolean;
  /** Keeps to one picture of the playlist; null lets the player change as the way to here allows. False where it is not in the list. */
  chooseQuality: (id: string | null) => boolean;
  /** Bits a second of the way to here, as measured; null where nobody measures. */
  bandwidth: () => number | null;
  /** Grows while bytes arrive; says nothing else. */
  arrived: () => number;
  detach: () => void;
}

export function isSegmented(play: Pick<Play, "url">): boolean {
  return play.url.split("?")[0]?.endsWith(".m3u8") ?? false;
}

/** What was asked of a source, and what it tells. */
export interface Told {
  /** Where to begin. */
  begin: number;
  /** The picture to keep to from the first segment on; null is free. */
  quality: string | null;
  /** Bits a second, where something is known about the way to here. */
  expect: number | null;
  trouble: (what: Trouble) => void;
  /** Whether it should move. A decoder that fails leaves a film that stands. */
  wantsToPlay: () => boolean;
  /** Another picture of the playlist is in sight. */
  shows: (id: string) => void;
}

const LOOK_MS = 500;
/** Less says nothing yet about the way. */
const SOONEST_MS = 1500;

/**
 * Whether a segment that somebody waits for should be given up for a smaller one: gives the bits a second that came, or
 * null. Where nothing has come at all, the machine is slow and not the way; another segment would not come sooner.
 */
export function tooSlow(bytes: number, ms: number, needs: number, hasSmaller: boolean): number | null {
  if (!hasSmaller || bytes === 0 || ms < SOONEST_MS) return null;
  const rate = (bytes * 8000) / ms;
  return rate < needs ? rate : null;
}

/** The quality a playlist belongs to: `…/v-720p/index.m3u8` is `720p`. */
export function qualityOf(uri: string): string | null {
  return /\/v-(original|\d{3,4}p)\/index\.m3u8$/.exec(uri)?.[1] ?? null;
}

/**
 * Segments arrive from the same house, so a few seconds of buffer are plenty; what counts is that a slow start of
 * the machine is not taken for a slow network, and that seeking does not throw away what was just seen.
 */
const SETTINGS = {
  enableWorker: false,
  lowLatencyMode: false,
  testBandwidth: false,
  startFragPrefetch: true,
  abrEwmaDefaultEstimate: 50_000_000,
  abrEwmaDefaultEstimateMax: 50_000_000,
  maxBufferLength: 20,
  maxMaxBufferLength: 30,
  backBufferLength: 30,
} as const;

/** hls.js says within this time that the decoder has failed, where it notices. */
const NOTICED_MS = 500;

export async function attach(video: HTMLVideoElement, play: Play, told: Told, signal: AbortSignal): Promise<Source> {
  if (!isSegmented(play)) return plain(video, play.url);
  const { default: Player } = await import("hls.js");
  if (signal.aborted) return plain(video, "");
  // Safari plays playlists by itself and has no place to put segments on phones.
  if (!Player.isSupported()) return plain(video, play.url);
  const known = told.expect === null ? {} : { abrEwmaDefaultEstimate: told.expect };
  const hls = new Player({ ...SETTINGS, ...known, startPosition: told.begin, fragLoadPolicy: { default: patient() } });
  let recovered = false;
  let lost = false;
  const decoderFailed = () => {
    // The element and hls.js may both say so: one failure is told once.
    if (lost) return;
    // Once: a hiccup of the decoder goes away with a fresh one, a file it cannot read does not.
    if (recovered) {
      lost = true;
      // The stream that takes over ends this one: what is asked of it until then would be refused.
      hls.stopLoad();
      return told.trouble({ kind: "decoder" });
    }
    recovered = true;
    hls.recoverMediaError();
    // A fresh decoder begins with a film that stands.
    if (told.wantsToPlay()) void video.play().catch(() => {});
  };
  hls.on(Player.Events.ERROR, (_, data) => {
    if (!data.fatal) return;
    if (data.type === Player.ErrorTypes.MEDIA_ERROR) decoderFailed();
    else told.trouble(refused(refusalOf(data)));
  });
  // hls.js notices a decoder that has failed when it appends next, and near the end it has appended
  // everything. Where it was quicker, the element has no error any more.
  const over = new AbortController();
  const look = () => {
    if (video.error && !over.signal.aborted) decoderFailed();
  };
  video.addEventListener("error", () => setTimeout(look, NOTICED_MS), { signal: over.signal });
  hls.on(Player.Events.MANIFEST_PARSED, () => {
    const level = told.quality === null ? -1 : levelOf(hls, told.quality);
    if (level >= 0) hls.loadLevel = level;
  });
  let onItsWay: { frag: Fragment; since: number } | null = null;
  let arrived = 0;
  hls.on(Player.Events.FRAG_LOADING, (_, { frag }) => {
    if (frag.type === "main") onItsWay = { frag, since: performance.now() };
  });
  hls.on(Player.Events.FRAG_LOADED, (_, { frag }) => {
    arrived += frag.stats.loaded;
    if (frag.type === "main") onItsWay = null;
  });
  // hls.js gives up a segment that comes too slowly only while there is something left to show.
  const watch = setInterval(() => {
    if (!onItsWay || !hls.autoLevelEnabled || video.readyState >= 3) return;
    const { frag, since } = onItsWay;
    const rate = tooSlow(frag.stats.loaded, performance.now() - since, hls.levels[frag.level]?.averageBitrate ?? 0, frag.level > 0);
    if (rate === null) return;
    onItsWay = null;
    hls.bandwidthEstimate = rate;
    hls.stopLoad();
    hls.startLoad(video.currentTime > 0 ? video.currentTime : told.begin);
  }, LOOK_MS);
  hls.on(Player.Events.FRAG_CHANGED, (_, { frag }) => {
    const id = qualityOf(hls.levels[frag.level]?.uri ?? "");
    if (frag.type === "main" && id !== null) told.shows(id);
  });
  hls.loadSource(play.url);
  hls.attachMedia(video);
  return {
    chooseSound: (index) => choose(hls, index),
    chooseQuality: (id) => {
      const level = id === null ? -1 : levelOf(hls, id);
      if (id !== null && level < 0) return false;
      hls.nextLevel = level;
      return true;
    },
    bandwidth: () => (Number.isFinite(hls.bandwidthEstimate) ? hls.bandwidthEstimate : null),
    arrived: () => arrived + (onItsWay?.frag.stats.loaded ?? 0),
    detach: () => {
      over.abort();
      clearInterval(watch);
      hls.destroy();
    },
  };
}

export function refused(failure: Failure): Trouble {
  return { kind: "refused", failure, sentence: sentence(failure) };
}

/** What the house answered to the request that failed. A segment is asked for as bytes, and so is what comes instead. */
export function refusalOf(data: Pick<ErrorData, "response" | "networkDetails">): Failure {
  const status = data.response?.code ?? 0;
  if (status < 400) return { kind: "unreachable" };
  const request = data.networkDetails as Partial<Pick<XMLHttpRequest, "response" | "getResponseHeader">> | null;
  const body: unknown = request?.response;
  try {
    const text = body instanceof ArrayBuffer ? new TextDecoder().decode(body) : String(body);
    return parseProblem(status, JSON.parse(text), request?.getResponseHeader?.("retry-after") ?? null);
  } catch {
    return { kind: "garbled", status };
  }
}

/** An encoder on half a core may take its time to the first byte. */
function patient() {
  // What the file does not hold is not there the next time either: the page takes another way.
  const shouldRetry: RetryConfig["shouldRetry"] = (_policy, _count, _late, response, usual) => usual && response?.code !== 409;
  const retry: RetryConfig = { maxNumRetry: 4, retryDelayMs: 500, maxRetryDelayMs: 4_000, shouldRetry };
  return { maxTimeToFirstByteMs: 25_000, maxLoadTimeMs: 60_000, timeoutRetry: retry, errorRetry: retry };
}

function levelOf(hls: Hls, id: string): number {
  return hls.levels.findIndex((level) => qualityOf(level.uri) === id);
}

function choose(hls: Hls, index: number): boolean {
  if (index < 0 || index >= hls.audioTracks.length) return false;
  hls.audioTrack = index;
  return true;
}

function plain(video: HTMLVideoElement, url: string): Source {
  if (url) video.src = url;
  let arrived = 0;
  const told = new AbortController();
  video.addEventListener("progress", () => (arrived += 1), { signal: told.signal });
  return {
    chooseSound: () => false,
    chooseQuality: () => false,
    bandwidth: () => null,
    arrived: () => arrived,
    // Without this the browser goes on fetching a film that nobody sees.
    detach: () => {
      told.abort();
      video.removeAttribute("src");
      video.load();
    },
  };
}
