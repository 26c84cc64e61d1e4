// Eight neighbours who take whatever they can get: processors, memory, processes, scratch space, the
// log. They have exactly the walls of a viewer's container, copied from one that runs, and the
// programs of its image. Meanwhile one more viewer watches a film, and another one jumps about in it.
import { call } from "../docker-api.mjs";
import { eventually } from "../../../tests/browser/support/house.mjs";
import { nowS } from "./viewer.mjs";

const LABEL = "loge.load";
const WATCHED_S = 15;

const ffmpeg = (...args) => ["/usr/bin/ffmpeg", "-nostdin", "-v", "error", ...args];
const picture = (what) => ["-f", "lavfi", "-i", what];
/** What each of them wants more of than it may have. Whoever is killed for it begins again. */
const APPETITES = {
  processor: ffmpeg(...picture("testsrc2=s=1920x1080:r=60"), "-c:v", "libx264", "-preset", "slow", "-f", "null", "-"),
  memory: ffmpeg(...picture("testsrc2=s=3840x2160:r=30"), "-vf", "reverse", "-f", "null", "-"),
  scratch: ffmpeg(...picture("testsrc=s=64x64:r=1000"), "-f", "image2", "/work/%d.png"),
  log: ["/usr/bin/ffmpeg", "-nostdin", "-v", "trace", ...picture("testsrc2=s=64x64:r=1000"), "-f", "null", "-"],
  processes: ffmpeg(...picture("testsrc2=s=1280x720:r=60"), "-c:v", "libx264", "-threads", "128", "-f", "null", "-"),
};
const TABLE = ["processor", "processor", "processor", "memory", "memory", "scratch", "log", "processes"];

/** `{ idle, beside: seconds per 64 KiB range, stalls, ends: how often one of them was ended by its walls }` */
export async function besideGreedy(socket, [watcher, jumper], model) {
  const url = await jumper.open(jumper.title);
  await jumper.ranges(url, nowS() + 2); // its connection and its container stand
  const idle = await jumper.ranges(url, nowS() + WATCHED_S);
  const ids = [];
  try {
    const walls = JSON.parse((await call(socket, "GET", `/containers/${model}/json`)).body);
    for (const appetite of TABLE) ids.push(await begin(socket, walls, APPETITES[appetite]));
    await eventually("eight greedy neighbours", async () => (await Promise.all(ids.map((id) => look(socket, id)))).every(({ State }) => State.Running || State.Restarting || State.ExitCode !== 0));
    const before = watcher.screen.stalls.length;
    const [beside] = await Promise.all([jumper.ranges(url, nowS() + WATCHED_S), watcher.watch(nowS() + WATCHED_S)]);
    const ends = (await Promise.all(ids.map((id) => look(socket, id)))).reduce((sum, { RestartCount }) => sum + RestartCount, 0);
    return { idle, beside, stalls: watcher.screen.stalls.slice(before), ends };
  } finally {
    for (const id of ids) await call(socket, "DELETE", `/containers/${id}?force=1&v=1`);
  }
}

const look = async (socket, id) => JSON.parse((await call(socket, "GET", `/containers/${id}/json`)).body);

async function begin(socket, { Config, HostConfig, Image }, program) {
  const body = {
    Image,
    User: Config.User,
    WorkingDir: Config.WorkingDir,
    Entrypoint: program,
    Cmd: [],
    NetworkDisabled: true,
    // Without the label of an install: the house must leave strangers alone.
    Labels: { [LABEL]: "greedy" },
    HostConfig: { ...HostConfig, Mounts: [], RestartPolicy: { Name: "always" } },
  };
  const { Id, message } = JSON.parse((await call(socket, "POST", "/containers/create", { body })).body);
  if (!Id) throw new Error(`no greedy container: ${message}`);
  const started = await call(socket, "POST", `/containers/${Id}/start`);
  if (started.status !== 204) throw new Error(`a greedy container does not start: ${started.body}`);
  return Id;
}
