// Signing out while the server is away. The cookie is out of reach for the page, so until the server has ended the sign-in,
// the next person at this screen could be let in as the one before.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { claim, eventually, openBrowser, openHouse, signIn } from "./support/house.mjs";

const OWNER = { name: "Olga", password: "a long night at the opera" };

let browser;
let house;
before(async () => {
  browser = await openBrowser();
  house = await openHouse("process");
  await claim(house, OWNER);
});
after(async () => {
  await browser?.close();
  await house?.close();
});

test("a sign-out while the server is away is said to have failed, and done once it is back", async () => {
  // Another device of the same person: the control for what a restart does to a sign-in.
  const other = await signIn(house.url, OWNER.name, OWNER.password);
  const sessions = async () => (await other("GET", "/admin/sessions")).json.items.map((one) => one.id).sort();
  const before = await sessions();

  const page = await (await browser.newContext({ viewport: { width: 1280, height: 720 } })).newPage();
  const signInForm = page.getByRole("button", { name: "Sign in" });
  const warning = page.getByRole("alert").filter({ hasText: "Loge could not sign you out" });
  await page.goto(house.url);
  await page.getByLabel("Name", { exact: true }).fill(OWNER.name);
  await page.getByLabel("Password", { exact: true }).fill(OWNER.password);
  await signInForm.click();
  await page.getByRole("button", { name: `Account of ${OWNER.name}` }).waitFor();
  assert.equal((await sessions()).length, before.length + 1);

  await house.stop();
  await page.getByRole("button", { name: `Account of ${OWNER.name}` }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await warning.waitFor();
  await signInForm.waitFor();
  assert.match(await warning.innerText(), /may still be signed in\. It is tried again by itself\./);
  // By hand it does not help either, and the page does not claim that it did.
  const tried = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/auth/logout"));
  await warning.getByRole("button", { name: "Try again now" }).click();
  await tried;
  assert.ok(await warning.isVisible());

  await house.start();
  await warning.waitFor({ state: "hidden" });
  assert.deepEqual(await sessions(), before, "the sign-in of the page has ended, the others have not");
  await page.reload();
  await signInForm.waitFor();
  const kept = (await page.context().cookies(house.url)).filter((cookie) => cookie.value !== "");
  assert.deepEqual(kept, [], "no cookie is left");
});
