// What every page has to hold, looked at in a real browser: no error on the console, axe, letters
// that can be read on what lies under them, targets for a thumb, fields that do not make a phone
// zoom, nothing wider than the window. Each check answers a list of findings in words.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** The smallest side of what is pressed, in CSS pixels (WCAG 2.2, 2.5.8). */
const TARGET_PX = 24;
/** With smaller letters in a field, phones zoom the page when it takes the focus. */
const FIELD_FONT_PX = 16;

/**
 * Collects what a page complains about while it lives. `expected` are patterns of complaints that
 * belong to the case at hand, for instance the 404 of a title that is not there.
 */
export function watchConsole(page, origin) {
  const findings = [];
  const watch = { findings, expected: [] };
  const tell = (text) => {
    if (!watch.expected.some((pattern) => pattern.test(text))) findings.push(text);
  };
  page.on("pageerror", (error) => tell(`uncaught: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") tell(`console: ${message.text()} ${message.location().url ?? ""}`.trim());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(origin) && !/^(data|blob|about):/.test(request.url())) tell(`left the server: ${request.url()}`);
  });
  return watch;
}

/**
 * Everything axe finds; `colours` alone where only the theme has changed. Where a dialog is open
 * it is the dialog: what lies behind it cannot be reached and was looked at before.
 */
export async function axe(page, { colours = false } = {}) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  const violations = await page.evaluate(
    async ({ tags, colours }) => {
      const runOnly = colours ? { type: "rule", values: ["color-contrast"] } : { type: "tag", values: tags };
      const dialogs = [...document.querySelectorAll("[role=dialog]")];
      const found = await window.axe.run(dialogs.at(-1) ?? document, { runOnly, resultTypes: ["violations"], elementRef: false });
      return found.violations.map(({ id, nodes }) => ({
        id,
        nodes: nodes.slice(0, 4).map((node) => `${node.target.join(" ")}${node.any?.[0]?.data?.contrastRatio ? ` (${node.any[0].data.contrastRatio})` : ""}`),
      }));
    },
    { tags: AXE_TAGS, colours },
  );
  return violations.map(({ id, nodes }) => `axe ${id}: ${nodes.join("; ")}`);
}

/** What can be measured without a picture: targets, fields, width. */
export async function geometry(page) {
  return page.evaluate(
    ({ TARGET_PX, FIELD_FONT_PX }) => {
      const findings = [];
      const name = (e) => `${e.tagName.toLowerCase()}${e.className && typeof e.className === "string" ? `.${e.className.trim().split(/\s+/)[0]}` : ""} “${(e.getAttribute("aria-label") ?? e.textContent ?? "").trim().slice(0, 40)}”`;
      const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
      if (wide > 1) findings.push(`the page is ${wide} px wider than the window`);
      for (const e of document.querySelectorAll("[role=dialog], [role=dialog] *")) {
        const over = e.scrollWidth - e.clientWidth;
        if (over > 1 && /auto|scroll/.test(getComputedStyle(e).overflowX) && !e.matches("[role=log], [role=region]")) findings.push(`the dialog has to be scrolled ${over} px sideways`);
      }
      const shows = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && e.getClientRects().length > 0 && !e.closest("[inert], [aria-hidden=true]");
      // A link inside a sentence is as high as its line.
      const inText = (e) => getComputedStyle(e).display === "inline" && [...e.parentElement.childNodes].some((node) => node !== e && node.nodeType === 3 && node.textContent.trim() !== "");
      for (const e of document.querySelectorAll("a[href], button, summary, select, input:not([type=hidden]), textarea, [role=slider], [role=switch], [role=tab], [role=menuitem]")) {
        if (!shows(e) || inText(e) || e.disabled) continue;
        // A box is pressed on its label as well.
        const pressed = [e, ...(e.labels ?? [])].map((one) => one.getBoundingClientRect());
        if (pressed[0].bottom < 0 || pressed[0].right < 0 || pressed[0].width <= 1) continue; // for screen readers, or comes into sight with the focus
        const side = Math.max(...pressed.map(({ width, height }) => Math.min(width, height)));
        if (side < TARGET_PX - 0.5) findings.push(`target of ${side.toFixed(0)} px: ${name(e)}`);
      }
      if (innerWidth <= 480) {
        for (const e of document.querySelectorAll("input, select, textarea")) {
          if (!shows(e) || /^(checkbox|radio|range|button|submit)$/.test(e.type)) continue;
          const size = Number.parseFloat(getComputedStyle(e).fontSize);
          if (size < FIELD_FONT_PX) findings.push(`field with letters of ${size} px makes a phone zoom: ${name(e)}`);
        }
      }
      return findings;
    },
    { TARGET_PX, FIELD_FONT_PX },
  );
}

/**
 * Contrast of letters that lie on pictures and gradients, where no style sheet knows the ground:
 * one picture of the page without its letters, and the colour of each letter against the pixels
 * under it. `decoder` is a blank page that turns the picture into pixels.
 */
export async function contrastOnPictures(page, decoder) {
  const texts = await page.evaluate(collectTexts);
  if (texts.length === 0) return [];
  await page.evaluate(() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("* { color: transparent !important; -webkit-text-fill-color: transparent !important; text-shadow: none !important; caret-color: transparent !important; }");
    window.withoutLetters = sheet;
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  });
  const shot = await page.screenshot({ animations: "disabled" });
  await page.evaluate(() => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== window.withoutLetters);
  });
  return decoder.evaluate(judgeTexts, { shot: shot.toString("base64"), texts });
}

/** Runs in the page: every piece of text in sight that has a picture somewhere under it. */
function collectTexts() {
  const opaque = (e) => {
    const [, , , alpha = "1"] = getComputedStyle(e).backgroundColor.match(/[\d.]+/g) ?? [];
    return !/transparent/.test(getComputedStyle(e).backgroundColor) && Number(alpha) >= 0.99;
  };
  const paints = (e) => /^(IMG|VIDEO|CANVAS)$/.test(e.tagName) || e.tagName === "svg" || getComputedStyle(e).backgroundImage !== "none";
  const onPicture = (e, x, y) => {
    const stack = document.elementsFromPoint(x, y);
    const from = stack.findIndex((one) => e.contains(one) || one.contains(e));
    // Something else lies on top: these letters are not in sight.
    if (from === -1 || (stack[0] !== e && !e.contains(stack[0]) && !stack[0].contains(e))) return false;
    for (const under of stack.slice(from)) {
      if (paints(under)) return true;
      if (opaque(under)) return false;
    }
    return false;
  };
  /** For screen readers alone: cut down to a dot. */
  const isSpoken = (e) => {
    for (let up = e; up; up = up.parentElement) if (up.offsetWidth <= 2 && up.offsetHeight <= 2 && getComputedStyle(up).overflow !== "visible") return true;
    return false;
  };
  const texts = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const text = node.textContent.trim();
    const e = node.parentElement;
    if (!text || !e || e.closest("script, style, svg, [inert]") || !e.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (e.closest(":disabled, [aria-disabled=true]")) continue; // WCAG asks nothing of what cannot be used
    if (isSpoken(e)) continue;
    const style = getComputedStyle(e);
    const range = document.createRange();
    range.selectNodeContents(node);
    let opacity = 1;
    for (let up = e; up; up = up.parentElement) opacity *= Number(getComputedStyle(up).opacity);
    const size = Number.parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    for (const { left, top, width, height } of range.getClientRects()) {
      const box = { left: Math.max(0, left), top: Math.max(0, top), right: Math.min(innerWidth, left + width), bottom: Math.min(innerHeight, top + height) };
      if (box.right - box.left < 4 || box.bottom - box.top < 4) continue;
      if (!onPicture(e, (box.left + box.right) / 2, (box.top + box.bottom) / 2)) continue;
      // The browser itself turns oklch() and friends into numbers.
      const paint = new OffscreenCanvas(1, 1).getContext("2d");
      paint.fillStyle = style.color;
      paint.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = paint.getImageData(0, 0, 1, 1).data;
      texts.push({ text: text.slice(0, 40), box, colour: [r, g, b], alpha: (a / 255) * opacity, large, scale: devicePixelRatio });
    }
  }
  return texts;
}

/** Runs in the blank page. A tenth of the pixels under a line may be worse: the edge of a picture, a hairline. */
async function judgeTexts({ shot, texts }) {
  const bytes = Uint8Array.from(atob(shot), (letter) => letter.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d", { willReadFrequently: true });
  canvas.drawImage(picture, 0, 0);
  const linear = (value) => (value <= 10.31475 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  /** Colours are whole numbers on the screen. */
  const ROUNDING = 0.05;
  const findings = [];
  for (const { text, box, colour, alpha, large, scale } of texts) {
    const left = Math.floor(box.left * scale);
    const top = Math.floor(box.top * scale);
    const width = Math.max(1, Math.floor((box.right - box.left) * scale));
    const height = Math.max(1, Math.floor((box.bottom - box.top) * scale));
    const { data } = canvas.getImageData(left, top, width, height);
    const step = Math.max(1, Math.floor((width * height) / 400));
    const ratios = [];
    for (let at = 0; at < width * height; at += step) {
      const under = [data[at * 4], data[at * 4 + 1], data[at * 4 + 2]];
      const letter = colour.map((value, i) => value * alpha + under[i] * (1 - alpha));
      const [a, b] = [light(letter), light(under)];
      ratios.push((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    }
    ratios.sort((a, b) => a - b);
    const ratio = ratios[Math.floor(ratios.length / 10)];
    const least = large ? 3 : 4.5;
    if (ratio < least - ROUNDING) findings.push(`contrast ${ratio.toFixed(2)} of ${least} on a picture: “${text}”`);
  }
  return findings;
}
