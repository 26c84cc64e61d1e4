// Somebody who watches: asks for films the way browsers do, and shows them on a simulated screen.
// Half of them read one file with ranges, half of them segments.
import http from "node:http";
import { nowS, Person, sleep } from "./person.mjs";
import { Screen } from "./screen.mjs";

export { nowS };

/** A player fills its buffer up to here, rests, and goes on below that. */
const FULL_S = 30;
const LOW_S = 20;
const TICK_MS = 100;
const TOLD_EVERY_S = 10;
const PIECE = 64 << 10;

export class Viewer extends Person {
  plays = 0;
  #reading = null;

  constructor({ kind, title, ...who }) {
    super(who);
    Object.assign(this, { kind, title });
    this.screen = new Screen(title.duration_s);
  }

  /** Watches until `untilS`: begins, seeks now and then, and begins again. */
  async watch(untilS) {
    const ticking = setInterval(() => this.screen.tick(nowS()), TICK_MS);
    try {
      while (nowS() < untilS) await this.#oneFilm(untilS);
    } catch (error) {
      this.failures.push(`${this.name}: ${error.message}`);
    } finally {
      clearInterval(ticking);
      await this.#stop();
      this.screen.close(nowS());
      this.agent.destroy();
    }
  }

  async #oneFilm(untilS) {
    this.screen.ask("start", 0, nowS());
    const play = await this.#play();
    let reader = this.#read(play, 0);
    const again = nowS() + 35 + this.dice() * 20;
    let seek = nowS() + 8 + this.dice() * 12;
    let told = nowS();
    while (nowS() < Math.min(untilS, again) && this.screen.state !== "ended") {
      await sleep(TICK_MS);
      if (reader.error) throw reader.error;
      if (nowS() - told > TOLD_EVERY_S) {
        told = nowS();
        await this.#tell(play, "time");
      }
      // A seek before the first picture would hide how long that took.
      if (nowS() > seek && this.screen.state === "playing") {
        seek = nowS() + 12 + this.dice() * 15;
        await this.#stop();
        const to = this.dice() * this.title.duration_s * 0.7;
        this.screen.ask("seek", to, nowS());
        reader = this.#read(play, to);
      }
    }
    await this.#stop();
    this.screen.close(nowS());
    await this.#tell(play, "close");
  }

  /** Only until the first picture, then away again; answers how long that took. */
  async glimpse() {
    this.screen.ask("cold", 0, nowS());
    const play = await this.#play();
    const reader = this.#read(play, 0);
    const until = nowS() + 30;
    while (this.screen.state === "waiting" && !reader.error && nowS() < until) await sleep(5);
    await this.#stop();
    this.screen.close(nowS());
    if (reader.error) throw reader.error;
    await this.#tell(play, "close");
    return this.screen.waits.pop()?.seconds ?? 30;
  }

  /** A play of any title, without a screen. */
  async open(title) {
    return (await this.#play(title)).url;
  }

  /** Small pieces at changing places until `untilS`; answers the seconds that each took. */
  async ranges(url, untilS) {
    const took = [];
    while (nowS() < untilS) {
      const from = Math.floor(this.dice() * (this.title.size_bytes - PIECE));
      const began = nowS();
      await this.get(url, { headers: { range: `bytes=${from}-${from + PIECE - 1}` }, expect: 206 });
      took.push(nowS() - began);
      await sleep(20);
    }
    return took;
  }

  /** As many bytes as it can get from an address, over so many connections. */
  async gulp(url, connections, untilS) {
    const one = async () => {
      while (nowS() < untilS) {
        const stop = new AbortController();
        const timer = setTimeout(() => stop.abort(), Math.max(1, (untilS - nowS()) * 1000));
        await this.get(url, { signal: stop.signal, agent: new http.Agent() }).catch((error) => {
          if (error.name !== "AbortError") throw error;
        });
        clearTimeout(timer);
      }
    };
    await Promise.all(Array.from({ length: connections }, one));
  }

  #play(title = this.title) {
    this.plays += 1;
    return this.call("POST", `/titles/${title.id}/play`, {});
  }

  async #tell(play, event) {
    await this.call("PUT", `/titles/${this.title.id}/progress`, { position_s: this.screen.position, event, play_id: play.play_id });
  }

  #read(play, fromS) {
    const stop = new AbortController();
    const reader = { error: null, stop };
    const reading = this.kind === "range" ? this.#readFile(play.url, fromS, stop.signal) : this.#readSegments(play.url, fromS, stop.signal);
    reader.over = reading.catch((error) => {
      if (!stop.signal.aborted) reader.error = error;
    });
    this.#reading = reader;
    return reader;
  }

  async #stop() {
    const reader = this.#reading;
    this.#reading = null;
    reader?.stop.abort();
    await reader?.over;
  }

  /** One request to the end of the file, held back by not reading it, as browsers do. */
  async #readFile(url, fromS, signal) {
    const { size_bytes: size, duration_s: duration } = this.title;
    const begin = Math.floor((fromS / duration) * size);
    let got = begin;
    await this.get(url, {
      signal,
      headers: { range: `bytes=${begin}-` },
      expect: 206,
      hold: (response) => this.#heldBack(response),
      take: (chunk) => {
        got += chunk.length;
        this.screen.has((got / size) * duration, nowS());
      },
    });
  }

  async #readSegments(url, fromS, signal) {
    const base = url.slice(0, url.lastIndexOf("/") + 1);
    const text = async (path) => String(await this.get(base + path, { signal, keep: true }));
    const master = await text("master.m3u8");
    const picture = master.split("\n").find((line) => line && !line.startsWith("#"));
    const sounds = [...master.matchAll(/TYPE=AUDIO.*?URI="([^"]+)"/g)].map((found) => found[1]);
    const tracks = await Promise.all([picture, ...sounds.slice(0, 1)].map(async (path) => ({ folder: path.slice(0, path.lastIndexOf("/") + 1), ...parsePlaylist(await text(path)) })));
    await Promise.all(tracks.map((track) => this.get(base + track.folder + track.init, { signal })));
    for (const track of tracks) track.next = Math.max(0, track.segments.findIndex((segment) => segment.end > fromS));
    const end = (track) => (track.next > 0 ? track.segments[track.next - 1].end : 0);
    const fetchNext = async (track) => {
      await this.get(base + track.folder + track.segments[track.next].path, { signal });
      track.next += 1;
    };
    // Both sides of the first picture are asked for at once, as players do.
    await Promise.all(tracks.map(fetchNext));
    this.screen.has(Math.min(...tracks.map(end)), nowS());
    for (;;) {
      const behind = tracks.filter((track) => track.next < track.segments.length).sort((a, b) => end(a) - end(b))[0];
      if (!behind) return;
      if (this.screen.ahead > FULL_S) while (this.screen.ahead > LOW_S) await sleep(TICK_MS, signal.throwIfAborted());
      await fetchNext(behind);
      this.screen.has(Math.min(...tracks.map(end)), nowS());
    }
  }

  /** Reads no more while enough is there, as browsers do. */
  #heldBack(response) {
    let watching = null;
    response.on("data", () => {
      if (watching || this.screen.ahead <= FULL_S) return;
      response.pause();
      watching = setInterval(() => {
        if (this.screen.ahead > LOW_S) return;
        clearInterval(watching);
        watching = null;
        response.resume();
      }, TICK_MS);
    });
    response.once("close", () => clearInterval(watching));
  }
}

/** `{ init, segments: [{ path, end }] }` */
export function parsePlaylist(text) {
  const segments = [];
  let end = 0;
  for (const line of text.split("\n")) {
    const length = line.match(/^#EXTINF:([\d.]+)/);
    if (length) end += Number(length[1]);
    else if (line && !line.startsWith("#")) segments.push({ path: line, end });
  }
  return { init: text.match(/#EXT-X-MAP:URI="([^"]+)"/)?.[1], segments };
}
