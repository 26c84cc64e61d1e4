// From pressing play to the list of segments, of a Matroska film of two hours whose key frames
// nobody has looked up yet: with its pages in the cache, and with none of them there.
import { spawnSync } from "node:child_process";
import { linkSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { mustCapture } from "../scripts/lib/run.mjs";
import { Refusal, say } from "../scripts/lib/say.mjs";
import { median } from "./cpu.mjs";
import { openHouse, until } from "./house.mjs";
import { line } from "./line.mjs";

/** Each is played once: what is known of a film afterwards would be no first play. */
const FILMS = 10;
const capabilities = { containers: ["mp4"], video_codecs: ["h264"], audio_codecs: ["aac"], mse: { video_codecs: ["h264"], audio_codecs: ["aac"] } };

/** A minute, a hundred and twenty times; 2.5 Mbit/s, a key frame every four seconds. */
function makeFilm(folder) {
  mkdirSync(folder, { mode: 0o755 });
  const [minute, film] = [join(folder, "minute.mkv"), join(folder, "two hours.mkv")];
  const source = ["-f", "lavfi", "-i", "testsrc2=s=1280x720:r=24:d=60,noise=alls=10:allf=t", "-f", "lavfi", "-i", "sine=f=220:d=60"];
  const picture = ["-c:v", "libx264", "-preset", "ultrafast", "-b:v", "2500k", "-maxrate", "3M", "-bufsize", "3M", "-g", "96", "-pix_fmt", "yuv420p"];
  mustCapture("ffmpeg", ["-nostdin", "-v", "error", ...source, ...picture, "-c:a", "ac3", "-ac", "2", minute]);
  mustCapture("ffmpeg", ["-nostdin", "-v", "error", "-stream_loop", "119", "-i", minute, "-c", "copy", film]);
  return film;
}

/** Takes a file's pages out of the cache. */
const forget = (path) => spawnSync("dd", ["if=/dev/null", `of=${path}`, "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none"]);

export async function firstPlay(folder, runtime) {
  const film = makeFilm(join(folder, "long"));
  const films = join(folder, "first");
  mkdirSync(films, { mode: 0o755 });
  const paths = Array.from({ length: FILMS }, (_, n) => join(films, `Slow Dawn ${n} (2016).mkv`));
  for (const path of paths) linkSync(film, path);
  const house = await openHouse({ data: join(folder, "data-first"), runtime });
  const seen = { warm: [], cold: [] };
  let before = null;
  try {
    await house.call("POST", "/libraries", { name: "Long", kind: "movies", folders: [films] });
    const titles = await until("the films", async () => {
      const { items } = await house.call("GET", "/titles");
      return items.length === FILMS && items;
    }, 20);
    for (const [n, title] of titles.entries()) {
      const state = n % 2 === 0 ? "warm" : "cold";
      if (state === "warm") spawnSync("cat", [film], { stdio: "ignore" });
      else forget(film);
      const since = performance.now();
      const play = await house.call("POST", `/titles/${title.id}/play`, { capabilities });
      const master = new URL(play.url, house.base);
      const list = (await (await fetch(master)).text()).split("\n").find((row) => row.startsWith("v-"));
      const segments = (await (await fetch(new URL(list, master))).text()).split("#EXTINF").length - 1;
      seen[state].push(performance.now() - since);
      if (play.method !== "remux" || segments < 1700) throw new Refusal(`the film plays by ${play.method} in ${segments} segments`);
      // While somebody watches, no index is made of the films that are still to come.
      if (before) await house.call("DELETE", `/admin/streams/${before}`);
      before = play.play_id;
    }
  } finally {
    await house.close();
  }
  say("");
  say("from play to the list of segments, two hours of Matroska without an index, in the viewer's own loge");
  for (const [state, values] of Object.entries(seen)) {
    line(`Loge, ${state}`, `${median(values).toFixed(0)} ms p50`, `${Math.max(...values).toFixed(0)} ms max of ${values.length}`);
  }
  return seen;
}
