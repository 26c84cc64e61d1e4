// The `.env` of this source tree, for developers: what it names and the environment does not name
// yet. The programs themselves read no such file: `npm start` passes the environment on to them.
// To be imported first, since other modules read the environment while they load.
import { existsSync } from "node:fs";
import { resolve } from "node:path";

const file = resolve(import.meta.dirname, "../../.env");
if (existsSync(file)) process.loadEnvFile(file);
