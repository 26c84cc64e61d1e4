// Running one program in the foreground on a person's behalf: Ctrl-C asks it to drain and
// waits, a second Ctrl-C asks again (the server then stops at once).
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { Refusal, say } from "./say.mjs";

/** Answers the program's exit code once it has ended. */
export function foreground(program, args, env) {
  return new Promise((resolve, reject) => {
    // A process group of its own: the terminal's Ctrl-C reaches only us, so that the program
    // gets exactly one signal, and the one that means "drain".
    const child = spawn(program, args, { stdio: "inherit", env, detached: true });
    let asked = 0;
    const ask = () => {
      asked += 1;
      if (asked === 1) say("stopping: running streams get a moment to end (again to stop at once)");
      child.kill("SIGTERM");
    };
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, ask);
    child.once("error", (error) => reject(new Refusal(`${program} could not be started: ${error.message}`)));
    child.once("close", (code, signal) => {
      for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.off(name, ask);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}
