// What this browser says it can play, from a plain file and in segments. Names are those of the server's probe.
import type { Capabilities } from "../api/types";

type CanPlay = (type: string) => boolean;
type Smooth = (type: string, width: number, height: number) => Promise<boolean>;

const VIDEO = {
  h264: ["mp4", "avc1.640028"],
  hevc: ["mp4", "hvc1.1.6.L120.90"],
  av1: ["mp4", "av01.0.08M.08"],
  vp8: ["webm", "vp8"],
  vp9: ["webm", "vp09.00.40.08"],
} as const;
const AUDIO = {
  aac: ["mp4", "mp4a.40.2"],
  ac3: ["mp4", "ac-3"],
  eac3: ["mp4", "ec-3"],
  flac: ["mp4", "flac"],
  opus: ["webm", "opus"],
  vorbis: ["webm", "vorbis"],
} as const;

/** Pictures that may arrive in segments, which are MP4 whatever the file was. */
const SEGMENTS = { h264: "avc1.640028", hevc: "hvc1.1.6.L120.B0", vp9: "vp09.00.40.08", av1: "av01.0.08M.08" } as const;

/**
 * Groups of pictures that need frames from before them cannot be tried without a film. Gecko goes on after a seek into
 * them, Chromium's decoder gives up, and nothing is known of others.
 */
export function takesOpenGroups(userAgent: string): boolean {
  return /\bGecko\/\d/.test(userAgent) && /\bFirefox\//.test(userAgent);
}

export async function measure(canPlay: CanPlay, smooth: Smooth, takesSegments: CanPlay = canPlay): Promise<Capabilities> {
  const video_codecs: string[] = [];
  for (const [name, [box, id]] of Object.entries(VIDEO)) {
    const type = `video/${box}; codecs="${id}"`;
    // Some browsers say yes to codecs that this machine then cannot decode in time.
    if (canPlay(type) && (name === "h264" || name === "vp8" || (await smooth(type, 1920, 1080)))) video_codecs.push(name);
  }
  const audio_codecs = Object.entries(AUDIO)
    .filter(([, [box, id]]) => canPlay(`audio/${box}; codecs="${id}"`))
    .map(([name]) => name);
  if (canPlay("audio/mpeg")) audio_codecs.push("mp3");
  const containers: string[] = [];
  // A .mov with these codecs is the same box format; browsers deny it by name and play it all the same.
  if (canPlay("video/mp4")) containers.push("mp4", "m4v", "mov");
  if (canPlay("video/webm")) containers.push("webm");
  if (canPlay('video/x-matroska; codecs="avc1.640028"') || canPlay('video/matroska; codecs="avc1.640028"')) containers.push("mkv");
  const inSegments = Object.entries(SEGMENTS)
    .filter(([, id]) => takesSegments(`video/mp4; codecs="${id}"`))
    .map(([name]) => name);
  return { containers, video_codecs, audio_codecs, mse: { video_codecs: inSegments } };
}

let known: Promise<Capabilities> | null = null;

export function capabilities(): Promise<Capabilities> {
  known ??= measured();
  return known;
}

async function measured(): Promise<Capabilities> {
  const probe = document.createElement("video");
  const able = await measure(
    (type) => probe.canPlayType(type) !== "",
    async (contentType, width, height) => {
      if (!navigator.mediaCapabilities) return true;
      try {
        const info = await navigator.mediaCapabilities.decodingInfo({ type: "file", video: { contentType, width, height, bitrate: 6_000_000, framerate: 24 } });
        return info.supported && (info.smooth || info.powerEfficient);
      } catch {
        return true;
      }
    },
    // Where there is no place to put segments, the browser plays playlists by itself.
    typeof MediaSource === "undefined" ? undefined : (type) => MediaSource.isTypeSupported(type),
  );
  return { ...able, open_groups: takesOpenGroups(navigator.userAgent) };
}
