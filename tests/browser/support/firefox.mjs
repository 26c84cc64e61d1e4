// Debian's Firefox, driven through the WebDriver BiDi that is built into it: no driver program and
// no library between. Only what the tests need: a tab, functions in it, keys and clicks.
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { isPlay } from "./matrix.mjs";

const NAMES = ["firefox-esr", "firefox"];
/** The patience is for slow machines, never part of what is tested. */
const OPEN_MS = 120_000;
const LEAVE_MS = 30_000;

/** Where it is; null where there is none. */
export function firefoxProgram() {
  if (process.env.FIREFOX) return process.env.FIREFOX;
  const folders = (process.env.PATH ?? "").split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path)) ?? null;
}

/** Nothing is fetched, asked or reported by itself. How films begin is left as everybody has it. */
const PREFERENCES = {
  "app.normandy.enabled": false,
  "app.update.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.homepage_override.mstone": "ignore",
  "browser.safebrowsing.update.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "extensions.getAddons.cache.enabled": false,
  "extensions.systemAddon.update.enabled": false,
  "media.gmp-manager.updateEnabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "toolkit.telemetry.reportingpolicy.firstRun": false,
};

export async function openFirefox(program = firefoxProgram()) {
  if (!program) throw new Error("there is no Firefox (package: firefox-esr)");
  const home = mkdtempSync(join(tmpdir(), "loge-ff-"));
  const temporary = join(home, "t");
  mkdirSync(temporary);
  chmodSync(home, 0o700);
  writeFileSync(join(home, "user.js"), Object.entries(PREFERENCES).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`).join(""));
  // It finds its own home below a folder that is ours, whoever runs the tests.
  const env = { ...process.env, HOME: home, TMPDIR: temporary, MOZ_CRASHREPORTER_DISABLE: "1", MOZ_HEADLESS: "1" };
  delete env.XDG_CACHE_HOME;
  const child = spawn(program, ["--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", home], { env, stdio: ["ignore", "ignore", "pipe"] });
  // A program that cannot be started never exits.
  const ended = new Promise((resolve) => child.once("exit", resolve).once("error", resolve));
  const close = async (leave) => {
    const late = setTimeout(() => child.kill("SIGKILL"), leave ? LEAVE_MS : 0);
    // One that cannot be asked any more is ended.
    await leave?.().catch(() => child.kill("SIGTERM"));
    await ended;
    clearTimeout(late);
    rmSync(home, { recursive: true, force: true });
  };
  try {
    const session = await Session.open(`${await addressOf(child, ended)}/session`);
    const { capabilities } = await session.send("session.new", { capabilities: {} });
    await session.send("session.subscribe", { events: ["log.entryAdded", "network.beforeRequestSent"] });
    return {
      version: capabilities.browserVersion,
      newPage: (size = { width: 1280, height: 720 }) => FirefoxPage.open(session, size),
      close: () => close(() => session.send("browser.close", {})),
    };
  } catch (error) {
    // One that nobody can speak to would keep the tests from ending.
    await close();
    throw error;
  }
}

/** Where it can be spoken to, as it says itself. */
function addressOf(child, ended) {
  const said = [];
  const words = () => said.slice(-5).join(" | ");
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`Firefox does not say where it listens: ${words()}`)), OPEN_MS);
    child.once("error", reject);
    void ended.then((code) => reject(new Error(`Firefox ended with ${code} while opening: ${words()}`)));
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      const found = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(line);
      if (!found) return;
      clearTimeout(late);
      resolve(found[1]);
    });
  });
}

/** One socket: orders by number, and events. */
class Session {
  #socket;
  #next = 1;
  #open = new Map();
  #listeners = new Set();
  #gone = null;

  static async open(url) {
    // Behind a switch in Node 20, there for everybody since Node 22.
    if (typeof WebSocket === "undefined") throw new Error("this Node has no WebSocket: run it with --experimental-websocket");
    const session = new Session();
    session.#socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      session.#socket.onopen = resolve;
      session.#socket.onerror = () => reject(new Error("Firefox does not take a connection"));
    });
    session.#socket.onmessage = ({ data }) => session.#hear(JSON.parse(data));
    session.#socket.onclose = ({ code, reason }) => {
      session.#gone = new Error(`Firefox has gone: ${code} ${reason}`);
      for (const { reject } of session.#open.values()) reject(session.#gone);
      session.#open.clear();
    };
    return session;
  }

  #hear(message) {
    const order = this.#open.get(message.id);
    if (!order) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    this.#open.delete(message.id);
    if (message.type === "error") order.reject(new Error(`${order.method}: ${message.message}`));
    else order.resolve(message.result);
  }

  send(method, params) {
    if (this.#gone) return Promise.reject(this.#gone);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { method, resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** Gives what ends it. */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

const KEYS = { Escape: "\uE00C", Enter: "\uE007", Tab: "\uE004" };

/** A font that was still on its way when the test went to another page: NS_BINDING_ABORTED. */
const LEFT = /^downloadable font: download failed .* status=2152398850 /;

/** A tab. `problems` fills with errors of the page and with requests that leave the house. */
class FirefoxPage {
  #session;
  #context;
  #stop;
  problems = [];
  plays = 0;

  static async open(session, { width, height }) {
    const page = new FirefoxPage();
    page.#session = session;
    const { userContext } = await session.send("browser.createUserContext", {});
    page.userContext = userContext;
    page.#context = (await session.send("browsingContext.create", { type: "tab", userContext })).context;
    page.#stop = session.listen((message) => page.#hear(message));
    await session.send("browsingContext.setViewport", { context: page.#context, viewport: { width, height } });
    await session.send("browsingContext.activate", { context: page.#context });
    return page;
  }

  #hear({ method, params }) {
    if (method === "log.entryAdded" && params.source.context === this.#context && params.level === "error" && params.type === "javascript" && !LEFT.test(params.text)) this.problems.push(params.text);
    if (method === "network.beforeRequestSent" && params.context === this.#context) {
      const { url, method: verb } = params.request;
      if (isPlay(verb, url)) this.plays += 1;
      if (this.house && !url.startsWith(this.house) && !/^(data|blob|about|resource):/.test(url)) this.problems.push(`left the house: ${url}`);
    }
  }

  async goto(url) {
    this.house ??= new URL(url).origin;
    await this.#session.send("browsingContext.navigate", { context: this.#context, url, wait: "complete" });
  }

  /** Runs a function in the page with one argument; both and the answer are plain data. */
  async evaluate(what, argument) {
    const { type, result, exceptionDetails } = await this.#session.send("script.callFunction", {
      functionDeclaration: `async (text) => JSON.stringify((await (${what})(JSON.parse(text))) ?? null)`,
      target: { context: this.#context },
      awaitPromise: true,
      arguments: [{ type: "string", value: JSON.stringify(argument ?? null) }],
    });
    if (type === "exception") throw new Error(exceptionDetails.text);
    return JSON.parse(result.value);
  }

  /** A key, as a person presses it. */
  async press(key) {
    const value = KEYS[key] ?? key;
    await this.#act({ type: "key", id: "keys", actions: ["keyDown", "keyUp"].map((type) => ({ type, value })) });
  }

  /** Types where the focus is. */
  async type(text) {
    const actions = [...text].flatMap((value) => [{ type: "keyDown", value }, { type: "keyUp", value }]);
    await this.#act({ type: "key", id: "keys", actions });
  }

  /** A click in the middle of the first thing that `selector` finds and `text` names. */
  async click(selector, text = "") {
    const at = await this.evaluate(
      ([selector, text]) => {
        const found = [...document.querySelectorAll(selector)].find((one) => one.textContent.includes(text) && one.getClientRects().length > 0);
        if (!found) return null;
        found.scrollIntoView({ block: "center" });
        const { x, y, width, height } = found.getBoundingClientRect();
        return { x: Math.round(x + width / 2), y: Math.round(y + height / 2) };
      },
      [selector, text],
    );
    if (!at) throw new Error(`there is no ${selector} ${text}`);
    await this.#act({
      type: "pointer",
      id: "mouse",
      actions: [{ type: "pointerMove", ...at }, { type: "pointerDown", button: 0 }, { type: "pointerUp", button: 0 }],
    });
  }

  #act(source) {
    return this.#session.send("input.performActions", { context: this.#context, actions: [source] });
  }

  async screenshot(path) {
    const { data } = await this.#session.send("browsingContext.captureScreenshot", { context: this.#context });
    writeFileSync(path, Buffer.from(data, "base64"));
  }

  async close() {
    await this.#session.send("browsingContext.close", { context: this.#context });
    this.#stop();
    await this.#session.send("browser.removeUserContext", { userContext: this.userContext });
  }
}
