#!/usr/bin/env node
// Renders every story at three widths, dark and light, into a folder, and says what is wrong with a page while at it:
// errors on the console, requests that leave the house, sideways scrolling, layout shift, and axe findings with --axe.
//   node ui/dev/screenshots.mjs FOLDER [--only REGEX] [--widths 360,820,1440] [--themes dark,light] [--axe] [--dist DIR]
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { start } from "./fixture-server.mjs";
import { STORIES } from "./stories.mjs";

const [folder] = process.argv.slice(2);
const flag = (name, fallback) => {
  const i = process.argv.indexOf(`--${name}`);
  return i > 0 ? process.argv[i + 1] : fallback;
};
if (!folder || folder.startsWith("--")) {
  process.stderr.write("Give a folder for the pictures.\n");
  process.exit(2);
}
const only = new RegExp(flag("only", "."));
const widths = flag("widths", "360,820,1440").split(",").map(Number);
const themes = flag("themes", "dark,light").split(",");
const withAxe = process.argv.includes("--axe");
const heights = { 360: 740, 820: 1100, 1440: 900 };
const MAX_SHIFT = 0.02;

mkdirSync(folder, { recursive: true });
const house = await start(flag("dist", null) ? { dist: flag("dist", null) } : {});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
});
const axe = withAxe ? readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8") : null;
const problems = [];
let taken = 0;

for (const story of STORIES.filter((s) => only.test(s.name))) {
  for (const width of widths) {
    for (const theme of themes) {
      const label = `${story.name} ${width} ${theme}`;
      const context = await browser.newContext({
        viewport: { width, height: heights[width] ?? 900 },
        colorScheme: theme,
        bypassCSP: withAxe,
        hasTouch: width < 500,
      });
      const page = await context.newPage();
      page.on("pageerror", (error) => problems.push(`${label}: ${error.message}`));
      // A refused call is part of some stories; the browser's own note about its status is not a fault of the page.
      page.on("console", (message) => {
        if (message.type() === "error" && !/status of (401|403|404|409|503)/.test(message.text())) problems.push(`${label}: ${message.text()}`);
      });
      page.on("request", (request) => {
        if (!request.url().startsWith(house.address) && !/^(blob|data):/.test(request.url())) problems.push(`${label}: leaves the house for ${request.url()}`);
      });
      await page.addInitScript(() => {
        window.shift = 0;
        new PerformanceObserver((list) => {
          for (const e of list.getEntries()) if (!e.hadRecentInput) window.shift += e.value;
        }).observe({ type: "layout-shift", buffered: true });
      });
      try {
        const address = new URL(story.path, house.address);
        address.searchParams.set("scenario", story.scenario ?? "well");
        address.searchParams.set("as", story.as ?? "owner");
        await page.goto(address.href);
        await page.evaluate(() => document.fonts.ready);
        await page.waitForTimeout(story.settle ?? 900);
        if (story.act) {
          await story.act(page);
          await page.waitForTimeout(650);
        }
        const { wide, shift } = await page.evaluate(() => ({
          wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
          shift: window.shift,
        }));
        if (wide > 1) problems.push(`${label}: ${wide} px too wide`);
        if (shift > MAX_SHIFT && !story.grows) problems.push(`${label}: layout shift ${shift.toFixed(3)}`);
        await page.screenshot({ path: join(folder, `${story.name}-${width}-${theme}.png`) });
        taken += 1;
        if (axe) {
          await page.evaluate(axe);
          const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
          for (const v of violations)
            problems.push(
              `${label}: axe ${v.id}: ${v.nodes
                .slice(0, 3)
                .map((n) => `${n.target.join(" ")}${n.any?.[0]?.data?.contrastRatio ? ` (${n.any[0].data.contrastRatio})` : ""}`)
                .join("; ")}`,
            );
        }
      } catch (error) {
        problems.push(`${label}: ${String(error.message).split("\n")[0]}`);
      }
      await context.close();
    }
  }
}

await browser.close();
house.stop();
process.stdout.write(`${taken} pictures in ${folder}\n`);
for (const problem of problems) process.stdout.write(`  ${problem}\n`);
process.exit(problems.length > 0 ? 1 : 0);
