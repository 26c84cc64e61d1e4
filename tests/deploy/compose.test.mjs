// The stacks of deploy/, for real: made by their own files, signed in to and watched in Chromium,
// every service restarted once, taken down. Run: npm test -- --only deploy
//
// Local images stand in for those of a registry, so two things are not run here: the compiling in
// the build stage of deploy/server/Dockerfile, and the entry point of the image "postgres".
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../../scripts/lib/paths.mjs";
import { eventually, openBrowser } from "../browser/support/house.mjs";
import { NAME, ask, askPlain, makeCertificate } from "../browser/support/proxy.mjs";
import { inTheWay, openSite } from "./support/stack.mjs";
import { enter, furnish, makeFilms, ownerOf, watchBoth } from "./support/visit.mjs";

const SERVICES = { dev: ["engine-door", "server"], prod: ["database", "engine-door", "server", "nginx"] };
const obstacle = inTheWay();
let site;
let browser;
let films;

before(async () => {
  if (obstacle) return;
  site = await openSite();
  films = join(site.folder, "films");
  mkdirSync(films);
  chmodSync(site.folder, 0o755);
  makeFilms(films);
  browser = await openBrowser([`--host-resolver-rules=MAP ${NAME} 127.0.0.1`, "--no-proxy-server"]);
});
after(async () => {
  await browser?.close();
  await site?.close();
});

/** What the server could ask of the engine, through the socket that it has. */
const KNOCK = `
use IO::Socket::UNIX;
my ($method, $path, $body) = @ARGV;
my $door = IO::Socket::UNIX->new(Peer => "/run/engine/engine.sock") or die "no door";
print $door "$method $path HTTP/1.0\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\nContent-Length: " . length($body) . "\\r\\n\\r\\n$body";
local $/; print <$door>;
`;

function knock(stack, method, path, body = "") {
  return stack.run("exec", "-T", "server", "perl", "-e", KNOCK, method, path, body);
}

/** What holds for each container of a stack. */
function assertClosed(stack, service) {
  const { Config, HostConfig } = stack.inspect(service);
  assert.equal(HostConfig.ReadonlyRootfs, true, service);
  assert.deepEqual(HostConfig.CapDrop, ["ALL"], service);
  assert.deepEqual(HostConfig.CapAdd ?? [], service === "engine-door" ? ["DAC_READ_SEARCH"] : [], service);
  assert.ok(HostConfig.SecurityOpt.some((one) => one.startsWith("no-new-privileges")), service);
  assert.ok(HostConfig.Memory > 0 && HostConfig.PidsLimit > 0, `${service} has limits`);
  assert.equal(HostConfig.RestartPolicy.Name, "unless-stopped", service);
  assert.ok(Config.Healthcheck.Test.length > 1, service);
  const hasEngine = HostConfig.Binds.some((bind) => bind.includes("docker.sock"));
  assert.equal(hasEngine, service === "engine-door", `${service} and the engine's socket`);
  assert.notEqual(Config.User, "", service);
  if (service !== "engine-door") assert.doesNotMatch(Config.User, /^0/, service);
}

/** Restarts a service, and waits until the house plays again as before. */
async function restart(stack, service) {
  stack.run("restart", service);
  await stack.settled(service);
  await stack.settled("server");
}

function assertDown(stack, volumes) {
  stack.run("down");
  assert.deepEqual([stack.containers(), stack.networks(), stack.loges()], [[], [], []]);
  assert.deepEqual(stack.volumes(), volumes);
  stack.run("down", "--volumes");
  assert.deepEqual(stack.volumes(), []);
}

/** With what the containers said, where something went wrong. */
async function told(stack, work) {
  try {
    return await work();
  } catch (error) {
    error.message += `\n${stack.autopsy()}`;
    throw error;
  }
}

/** Tests of one stack in their order. After the first that fails the others would only wait in vain. */
function inOrder(stack) {
  let failed = null;
  return (name, work) =>
    test(name, async () => {
      assert.equal(failed, null, `not tried, since this failed: ${failed}`);
      failed = name;
      await told(stack(), work);
      failed = null;
    });
}

describe("compose.yml", { concurrency: false, skip: obstacle ?? false }, () => {
  const port = 8096;
  const url = `http://127.0.0.1:${port}`;
  const way = (path, what) => askPlain(url, path, what);
  const owner = ownerOf(way);
  let stack;
  let titles;
  let page;
  const step = inOrder(() => stack);

  before(() => {
    if (obstacle) return;
    stack = site.stack("compose.yml", "logedev", { LOGE_FILMS: films, LOGE_PORT: String(port) });
  });

  step("one command brings it up", async () => {
    stack.run("up", "-d");
    await stack.settled("server");
    for (const service of SERVICES.dev) assertClosed(stack, service);
    const { Config } = stack.inspect("server");
    for (const label of ["title", "description", "version", "revision", "licenses"]) assert.ok(Config.Labels[`org.opencontainers.image.${label}`], label);
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    assert.equal(Config.Labels["org.opencontainers.image.version"], version);
    assert.equal(stack.inspect("worker-image").State.ExitCode, 0);
  });

  step("a person signs in and watches, by ranges and in segments", async () => {
      await owner.claim(await stack.setupCode());
      titles = await furnish(owner, "/films");
      page = await enter(browser, url, titles);
      await watchBoth(page, url, titles);
      const { items } = await owner.ask("GET", "/admin/containers");
      assert.ok(items.length > 0 && items.every((one) => one.runtime === "docker"), JSON.stringify(items));
  });

  step("the doctor knows which folder is which, and says when one is not", () => {
    const of = (name, ...more) => stack.doctor(...more).find((check) => check.name === name);
    for (const name of ["worker", "launcher", "frames", "docker", "engine paths"]) assert.ok(of(name).ok, JSON.stringify(of(name)));
    assert.ok(of("engine paths").detail.includes(`/films is ${films}`), of("engine paths").detail);
    const lost = of("engine paths", "-e", "LOGE_HOST_PATHS=/elsewhere=/srv/elsewhere");
    assert.ok(!lost.ok && lost.detail.includes("/films (films)") && lost.detail.includes("(sockets)"), JSON.stringify(lost));
  });

  step("the server gets nothing out of the engine but loges", () => {
    assert.match(knock(stack, "GET", "/_ping"), / 200 OK[\s\S]*OK$/);
    const hostile = JSON.stringify({ Image: "loge-server:latest", HostConfig: { Privileged: true, Binds: ["/:/host"] } });
    assert.match(knock(stack, "POST", "/containers/create?name=x", hostile), / 403 [\s\S]*the engine door makes no container with this/);
    assert.match(knock(stack, "GET", `/containers/${stack.inspect("engine-door").Id}/json`), / 403 [\s\S]*does not know this container/);
    assert.match(knock(stack, "GET", "/volumes"), / 403 /);
    const loge = stack.loges()[0];
    assert.match(knock(stack, "POST", `/containers/${loge}/exec`, "{}"), / 403 /);
    assert.match(knock(stack, "GET", `/containers/${loge}/json`), / 200 OK/, "the control: its own it may look at");
  });

  step("a read-only root is what it is", () => {
    const write = (path) => stack.ask("exec", "-T", "server", "sh", "-c", `echo x > ${path}`);
    for (const path of ["/x", "/usr/lib/loge/x", "/films/x", "/run/engine/x", "/etc/x"]) assert.ok(!write(path).ok, path);
    assert.ok(write("/data/x").ok, "the control");
    stack.run("exec", "-T", "server", "rm", "/data/x");
    assert.equal(stack.run("exec", "-T", "server", "id", "-u").trim(), "10001");
  });

  step("it plays again after a restart of each service", async () => {
      for (const service of SERVICES.dev) {
        await restart(stack, service);
        await watchBoth(page, url, titles);
      }
      assert.deepEqual(page.problems, []);
  });

  step("SIGTERM drains", async () => {
    await page.close();
    stack.run("stop", "server");
    const { State } = stack.inspect("server");
    assert.deepEqual([State.ExitCode, State.OOMKilled], [0, false]);
    assert.match(stack.logs("server"), /the house is closed/);
    assert.deepEqual(stack.loges(), [], "its loges went with it");
  });

  step("down leaves the volumes and nothing else", () => assertDown(stack, ["cache", "data", "door", "sockets"]));
});

describe("compose.prod.yml", { concurrency: false, skip: obstacle ?? false }, () => {
  const [http, https] = [8080, 8443];
  const url = `https://${NAME}:${https}`;
  let stack;
  let certificate;
  let proxy;
  let owner;
  let titles;
  let page;
  const step = inOrder(() => stack);

  before(() => {
    if (obstacle) return;
    certificate = makeCertificate();
    const secrets = join(site.folder, "secrets");
    mkdirSync(secrets, { mode: 0o700 });
    copyFileSync(certificate.cert, join(secrets, "tls.crt"));
    copyFileSync(certificate.key, join(secrets, "tls.key"));
    writeFileSync(join(secrets, "db_password"), "s3cret / with @ signs:\n");
    for (const name of ["tls.crt", "tls.key", "db_password"]) chmodSync(join(secrets, name), 0o644);
    proxy = { url, port: https, ca: certificate.pem };
    owner = ownerOf((path, what) => ask(proxy, path, what));
    stack = site.stack("compose.prod.yml", "logeprod", {
      LOGE_FILMS: films,
      LOGE_PUBLIC_URL: url,
      LOGE_SECRETS: secrets,
      LOGE_HTTP_PORT: String(http),
      LOGE_HTTPS_PORT: String(https),
    });
  });
  after(() => certificate?.remove());

  step("one command brings it up, each part closed", async () => {
    stack.run("up", "-d");
    await stack.settled("nginx");
    for (const service of SERVICES.prod) assertClosed(stack, service);
    const networks = (service) => Object.keys(stack.inspect(service).NetworkSettings.Networks).sort();
    assert.deepEqual(networks("nginx"), ["logeprod_edge", "logeprod_front"]);
    assert.deepEqual(networks("server"), ["logeprod_back", "logeprod_edge"]);
    assert.deepEqual(networks("database"), ["logeprod_back"]);
    assert.deepEqual(networks("engine-door"), ["none"]);
    for (const name of ["edge", "back"]) assert.equal(JSON.parse(site.docker("network", "inspect", `logeprod_${name}`))[0].Internal, true, name);
    for (const service of SERVICES.prod) {
      assert.ok(!JSON.stringify(stack.inspect(service).Config.Env).includes("s3cret"), `the password is not in the environment of ${service}`);
    }
  });

  step("port 80 leads to TLS", async () => {
    const answer = await askPlain(`http://127.0.0.1:${http}`, "/title/1?from=2", { headers: { host: NAME } });
    assert.deepEqual([answer.status, answer.headers.location], [301, `https://${NAME}/title/1?from=2`]);
  });

  step("a person signs in over TLS and watches, by ranges and in segments", async () => {
      await owner.claim(await stack.setupCode());
      titles = await furnish(owner, "/films");
      page = await enter(browser, url, titles, { ignoreHTTPSErrors: true });
      const cookies = await page.raw.context().cookies();
      assert.ok(cookies.length > 0 && cookies.every((one) => one.name.startsWith("__Host-") && one.secure), JSON.stringify(cookies));
      await watchBoth(page, url, titles);
  });

  step("the house is in PostgreSQL, and the doctor is content", () => {
    const count = stack.run("exec", "-T", "database", "psql", "--username=loge", "--dbname=loge", "--tuples-only", "--command=select count(*) from libraries");
    assert.equal(count.trim(), "1");
    for (const check of stack.doctor()) assert.ok(check.ok, JSON.stringify(check));
  });

  step("it plays again after a restart of each service", async () => {
      for (const service of SERVICES.prod) {
        await restart(stack, service);
        await eventually("nginx to reach the house", async () => (await ask(proxy, "/readyz")).status === 200);
        await watchBoth(page, url, titles);
      }
      assert.deepEqual(page.problems, []);
  });

  step("down leaves the volumes and nothing else", async () => {
    await page.close();
    assertDown(stack, ["cache", "data", "database", "door", "sockets"]);
  });
});

test("nginx does the same for Loge in a container as beside it", () => {
  const read = (name) => readFileSync(join(root, "deploy/nginx", name), "utf8");
  const [beside, contained] = [read("loge.conf"), read("compose.conf")];
  const shared = beside.slice(beside.indexOf("    # Loge takes no larger body"));
  assert.ok(shared.length > 2000 && contained.includes(shared.trim()), "the part about Loge differs");
  const brake = beside.slice(beside.indexOf("map $request_method"), beside.indexOf("server {\n    listen 80;"));
  assert.ok(brake.includes("limit_req_zone") && contained.includes(brake), "the brake differs");
});
