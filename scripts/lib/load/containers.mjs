// The containers of loges, as the engine and the kernel see them.
import { call } from "../docker-api.mjs";

/** The first process of each container. */
export async function firstProcesses(socket, loges) {
  const pids = [];
  for (const { container_id } of loges) {
    const { State } = JSON.parse((await call(socket, "GET", `/containers/${container_id}/json`)).body);
    if (State?.Pid) pids.push(State.Pid);
  }
  return pids;
}
