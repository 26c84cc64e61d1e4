// One page with the verdicts and the measured curves, complete in itself.
import { mean, percentile } from "./verdicts.mjs";

const COLOURS = ["#e0a458", "#7fb7be", "#d3667d", "#9bc53d", "#8d86c9", "#f2d0a9", "#5b8e7d", "#bc4b51"];
const escape = (text) => String(text).replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);

export function report(found, verdicts) {
  const times = found.samples.map(({ at }) => at);
  const each = (pick) => found.samples[0]?.ahead.map((_, n) => found.samples.map((sample) => pick(sample)[n])) ?? [];
  const names = found.kinds.map((kind, n) => `viewer ${n + 1}, ${kind}`);
  const seconds = (values) => (values.length ? `${mean(values).toFixed(2)} s mean, ${percentile(values, 0.5).toFixed(2)} s median, ${percentile(values, 0.95).toFixed(2)} s at 95 of 100, ${Math.max(...values).toFixed(2)} s at most, of ${values.length}` : "none");
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Load test</title>
<style>
body{margin:32px auto;max-width:980px;padding:0 20px;font:15px/1.5 system-ui,sans-serif;background:#14110f;color:#efe7dc}
h1{font-size:24px;margin:0}h2{font-size:17px;margin:32px 0 8px}p{color:#b5a99a;margin:4px 0}
table{border-collapse:collapse;width:100%}td,th{padding:7px 10px;text-align:left;border-top:1px solid #362f29;vertical-align:top}th{font-weight:500;color:#b5a99a}
.kept{color:#9bc53d}.broken{color:#ff7a7a;font-weight:600}.not{color:#e0a458}small{display:block;color:#b5a99a}
svg{display:block;width:100%;height:auto;background:#1c1815;border-radius:10px}text{font:11px system-ui,sans-serif;fill:#b5a99a}
ul{display:flex;flex-wrap:wrap;gap:2px 18px;margin:8px 0 0;padding:0;list-style:none;color:#b5a99a;font-size:13px}i{display:inline-block;width:14px;height:3px;margin-right:6px;vertical-align:middle}
</style>
<h1>${found.viewers} viewers for ${found.seconds} s</h1>
<p>${escape(found.runtime)} runtime, ${escape(found.build)} build, ${found.cores} × ${escape(found.processor)}, films of ${(found.filmBps / 1e6).toFixed(1)} Mbit/s, ${escape(found.at)}</p>
<p>${found.heat.map(escape).join("; ")}</p>
<h2>Promises</h2>
<table><tr><th>Promise</th><th>Limit</th><th>Measured</th><th>Verdict</th></tr>
${verdicts.map((row) => `<tr><td>${escape(row.promise)}</td><td>${escape(row.limit)}</td><td>${escape(row.measured)}</td><td class="${row.verdict.split(" ")[0]}">${row.verdict}${row.why ? `<small>${escape(row.why)}</small>` : ""}</td></tr>`).join("\n")}
</table>
<h2>Waits for a picture</h2>
<table>
<tr><td>Start, warm</td><td>${seconds(found.warmStarts)}</td></tr>
<tr><td>Start, cold container</td><td>${seconds(found.coldStarts)}</td></tr>
<tr><td>Seek</td><td>${seconds(found.seeks)}</td></tr>
</table>
<h2>Processor, in cores</h2>
${plot(times, [found.samples.map(({ ours }) => ours), found.samples.map(({ foreign }) => foreign)], { least: found.cores })}
${legend(["the server and all containers", "everything else on the machine but the simulated viewers"])}
<h2>Memory of the server and all containers, in MB</h2>
${plot(times, [found.memoryBytes.map((bytes) => bytes / 1e6)], {})}
<h2>Seconds of film ahead of each viewer</h2>
${plot(times, each(({ ahead }) => ahead), {})}
${legend(names)}
<h2>Arriving at each viewer, in Mbit/s</h2>
${plot(times, each(({ rates }) => rates.map((rate) => (rate * 8) / 1e6)), {})}
${legend(names)}
<h2>Shares of a full wire, in kB/s</h2>
<p>${(found.totalRate / 1e6).toFixed(1)} MB/s for all together; the line is an equal part. The first viewer had four connections.</p>
${bars(found.shares.map((share) => share / 1e3), found.totalRate / found.shares.length / 1e3)}
${found.failures.length ? `<h2>Failures</h2><table>${found.failures.map((text) => `<tr><td>${escape(text)}</td></tr>`).join("")}</table>` : ""}
</html>
`;
}

const WIDTH = 940;
const HEIGHT = 220;
const EDGE = { left: 46, right: 12, top: 12, bottom: 24 };

/** A round number at or above the largest value. */
function top(values, least = 0) {
  const most = Math.max(least, ...values, 1e-9);
  const unit = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 2.5, 5, 10].map((step) => step * unit).find((step) => step >= most * 0.999);
}

function frame(high, inside) {
  const y = (share) => HEIGHT - EDGE.bottom - share * (HEIGHT - EDGE.top - EDGE.bottom);
  const lines = [0, 0.5, 1].map((share) => `<line x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${y(share)}" y2="${y(share)}" stroke="#362f29"/><text x="${EDGE.left - 6}" y="${y(share) + 4}" text-anchor="end">${Number((high * share).toPrecision(3))}</text>`);
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">${lines.join("")}${inside(y)}</svg>`;
}

function plot(times, curves, { least }) {
  if (times.length < 2) return "<p>Too short to draw.</p>";
  const high = top(curves.flat(), least);
  const last = times.at(-1);
  const x = (at) => EDGE.left + (at / last) * (WIDTH - EDGE.left - EDGE.right);
  return frame(high, (y) => {
    const drawn = curves.map((values, n) => `<polyline fill="none" stroke="${COLOURS[n % COLOURS.length]}" stroke-width="1.5" points="${values.map((value, at) => `${x(times[at]).toFixed(1)},${y(value / high).toFixed(1)}`).join(" ")}"/>`);
    const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => `<text x="${x(last * share)}" y="${HEIGHT - 7}" text-anchor="middle">${Math.round(last * share)} s</text>`);
    return drawn.join("") + marks.join("");
  });
}

function bars(values, line) {
  const high = top(values, line);
  const wide = (WIDTH - EDGE.left - EDGE.right) / Math.max(1, values.length);
  return frame(high, (y) => {
    const drawn = values.map((value, n) => `<rect x="${EDGE.left + n * wide + wide * 0.2}" y="${y(value / high)}" width="${wide * 0.6}" height="${HEIGHT - EDGE.bottom - y(value / high)}" fill="${COLOURS[n % COLOURS.length]}"/><text x="${EDGE.left + (n + 0.5) * wide}" y="${HEIGHT - 7}" text-anchor="middle">${value.toFixed(0)}</text>`);
    return `${drawn.join("")}<line x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${y(line / high)}" y2="${y(line / high)}" stroke="#efe7dc" stroke-dasharray="4 4"/>`;
  });
}

const legend = (names) => `<ul>${names.map((name, n) => `<li><i style="background:${COLOURS[n % COLOURS.length]}"></i>${escape(name)}</li>`).join("")}</ul>`;
