// Somebody who watches faster than films run, again and again, in one way of all that there are.
import http from "node:http";
import { nowS, Person, sleep } from "../load/person.mjs";
import { parsePlaylist } from "../load/viewer.mjs";

/** Seconds of film in one range. */
const RANGE_S = 4;
/**
 * So long a play lasts, over and over in its film. The server remembers each press of play for six hours
 * (crates/gateway/src/brake.rs); people who begin a film every other second would be a leak of their own.
 */
const PLAY_S = 20;

/**
 * The eight: how each is served (`method`), with which wish, how many times faster than the film
 * (where the machine gives it that fast), and what else they fetch.
 */
export const EIGHT = [
  { way: "ranges", film: "Even Keel", method: "direct", rate: 32 },
  { way: "ranges and words beside", film: "Even Keel", method: "direct", rate: 16, extras: ["subtitles"] },
  { way: "copied picture", film: "Long Wave", method: "remux", rate: 32 },
  { way: "copied picture, small pictures", film: "Long Wave", method: "remux", rate: 8, extras: ["storyboard", "posters"] },
  { way: "copied picture, words inside", film: "Spoken Tide", method: "remux", rate: 16, extras: ["subtitles"] },
  { way: "prepared", film: "High Water", method: "rendition", quality: "480p", rate: 16 },
  { way: "prepared", film: "High Water", method: "rendition", quality: "480p", rate: 8, extras: ["posters"] },
  { way: "encoded live", film: "Low Water", method: "transcode", rate: 8 },
];

export class Watcher extends Person {
  plays = 0;
  /** Seconds of film that arrived. */
  filmS = 0;
  told = 0;

  constructor({ part, ...who }) {
    super(who);
    Object.assign(this, part);
  }

  /** Watches until `untilS`, listening for what changes in the house; then lets go of everything. */
  async watch(title, untilS) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), Math.max(0, (untilS - nowS()) * 1000));
    let listening = null;
    try {
      listening = await this.listen();
      while (!stop.signal.aborted) await this.#oneFilm(title, stop.signal);
    } catch (error) {
      if (!stop.signal.aborted || error.name !== "AbortError") this.failures.push(`${this.name}, ${this.way}: ${error.message}`);
    } finally {
      clearTimeout(timer);
      stop.abort();
      listening?.destroy();
    }
  }

  /** Opens the stream of events, on a connection of its own; answers once it stands, with what ends it. */
  async listen() {
    if (!this.signedIn) await this.signIn();
    return new Promise((resolve, reject) => {
      const request = http.get(`${this.url}/api/v1/events`, { agent: new http.Agent(), headers: this.headers() }, (response) => {
        if (response.statusCode !== 200) return reject(new Error(`GET /events: ${response.statusCode}`));
        response.on("data", () => (this.told += 1)).on("error", () => {});
        resolve(request);
      });
      request.on("error", reject);
    });
  }

  async #oneFilm(title, signal) {
    const play = await this.call("POST", `/titles/${title.id}/play`, this.quality ? { quality: this.quality } : {});
    try {
      if (play.method !== this.method) throw new Error(`${title.name} is served as ${play.method}, not ${this.method}`);
      this.plays += 1;
      await this.#extras(title, play, signal);
      for (const until = nowS() + PLAY_S; nowS() < until; ) {
        const from = this.dice() < 0.5 ? 0 : this.dice() * title.duration_s * 0.5;
        if (this.method === "direct") await this.#ranges(title, play.url, from, signal);
        else await this.#segments(play.url, from, signal);
      }
    } finally {
      await this.call("PUT", `/titles/${title.id}/progress`, { position_s: 1, event: "close", play_id: play.play_id });
    }
  }

  async #ranges({ size_bytes: size, duration_s: duration }, url, fromS, signal) {
    const began = nowS();
    for (let at = fromS; at < duration; at += RANGE_S) {
      const [first, last] = [at, Math.min(duration, at + RANGE_S)].map((s) => Math.floor((s / duration) * size));
      if (last > first) await this.get(url, { signal, expect: 206, headers: { range: `bytes=${first}-${last - 1}` } });
      await this.#inTime(began, at - fromS + RANGE_S, RANGE_S, signal);
    }
  }

  async #segments(url, fromS, signal) {
    const base = url.slice(0, url.lastIndexOf("/") + 1);
    const text = async (path) => String(await this.get(base + path, { signal, keep: true }));
    const master = await text("master.m3u8");
    const picture = master.split("\n").find((line) => line && !line.startsWith("#"));
    const sound = master.match(/TYPE=AUDIO.*?URI="([^"]+)"/)?.[1];
    const tracks = await Promise.all([picture, sound].filter(Boolean).map(async (path) => ({ folder: base + path.slice(0, path.lastIndexOf("/") + 1), ...parsePlaylist(await text(path)) })));
    await Promise.all(tracks.map(({ folder, init }) => this.get(folder + init, { signal })));
    const began = nowS();
    for (const { path, end } of tracks[0].segments) {
      if (end <= fromS) continue;
      const others = tracks.slice(1).map(({ folder, segments }) => ({ folder, path: segments.find((segment) => segment.end >= end - 0.5)?.path })).filter((other) => other.path);
      await Promise.all([{ folder: tracks[0].folder, path }, ...others].map((part) => this.get(part.folder + part.path, { signal })));
      await this.#inTime(began, end - fromS, 4, signal);
    }
  }

  async #extras({ id, poster_url: poster }, play, signal) {
    const wanted = this.extras ?? [];
    if (wanted.includes("subtitles")) {
      const urls = play.subtitles.map(({ url }) => url).filter(Boolean);
      if (urls.length === 0) throw new Error("the film has lost its subtitles");
      for (const url of urls) await this.get(url, { signal });
    }
    if (wanted.includes("storyboard") && play.storyboard_url) {
      const words = String(await this.get(play.storyboard_url, { signal, keep: true }));
      const base = play.storyboard_url.slice(0, play.storyboard_url.lastIndexOf("/") + 1);
      for (const sheet of new Set(words.match(/^\S+\.jpg/gm))) await this.get(base + sheet, { signal });
    }
    if (wanted.includes("posters")) {
      await this.call("GET", "/titles");
      if (poster) await this.get(poster, { signal, headers: this.headers() });
      await this.call("GET", `/titles/${id}`);
    }
  }

  /** Counts what arrived and waits until that much film would have run at this viewer's rate. */
  async #inTime(began, filmS, newS, signal) {
    this.filmS += newS;
    const left = began + filmS / this.rate - nowS();
    if (left > 0) await sleep(left * 1000);
    signal.throwIfAborted();
  }
}
