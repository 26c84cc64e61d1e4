// One look at the whole house: the server, its loges by kind, its files.
import { below, held, lookAt } from "./look.mjs";

const KINDS = { workersRss: /^loge-worker|^loge-launch/, framesRss: /^loge-frames/, mediaRss: /^ffmpeg|^ffprobe/ };

/**
 * A sample for `judgeGrowth`. `containers`: first processes of containers, which are no children of the
 * server. `metrics`: what `/metrics` said.
 */
export function lookAtHouse({ pid, data, temporary, containers, metrics }) {
  const server = lookAt(pid);
  if (!server) throw new Error("the server is gone");
  const around = below([pid, ...containers]);
  for (const container of containers) {
    const about = lookAt(container);
    if (about) around.set(container, about);
  }
  const programs = [...around.values()];
  const sum = (list, what) => list.reduce((total, about) => total + about[what], 0);
  return {
    serverRss: server.rss,
    serverAnonymous: server.anonymous,
    serverDescriptors: server.descriptors,
    serverThreads: server.threads,
    serverTasks: gauge(metrics, "loge_server_tasks"),
    ...Object.fromEntries(Object.entries(KINDS).map(([key, pattern]) => [key, sum(programs.filter(({ name }) => pattern.test(name)), "rss")])),
    loges: programs.length,
    logeDescriptors: sum(programs, "descriptors"),
    temporaryFiles: held(temporary, (path) => path.startsWith("loge")).files + held(data, (path) => /^run\/|\.part$|\.tmp$/.test(path)).files,
    databaseBytes: held(data, (path) => path.startsWith("loge.db")).bytes,
    logBytes: held(data, (path) => path.startsWith("logs/")).bytes,
  };
}

/** A value of `/metrics`; NaN where it is not told. */
export function gauge(metrics, name) {
  const line = metrics.split("\n").find((line) => line.startsWith(`${name} `));
  return line ? Number(line.slice(name.length + 1)) : Number.NaN;
}
