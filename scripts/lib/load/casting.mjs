// Which film each simulated viewer gets. Pure.

/** Shorter films would be over before anything is measured. */
const SHORTEST_S = 20;

/**
 * Half of the viewers get films that play as they are, half of them films that go in segments; each
 * kind by turns. Where there is only the first kind, all get that one. Answers `{ parts: [{ kind, title }],
 * bps, lines }`, or `{ refused }` with what is missing.
 */
export function castFilms(titles, viewers) {
  const usable = titles.filter(({ missing, duration_s: duration }) => !missing && duration >= SHORTEST_S);
  const of = (playability) => usable.filter((title) => title.playability === playability);
  const films = { range: of("direct"), segments: of("remux") };
  if (films.range.length === 0) return { refused: `of the ${titles.length} films none plays as it is for at least ${SHORTEST_S} seconds (an mp4 with H.264 and AAC does); the load test needs one` };
  const parts = Array.from({ length: viewers }, (_, n) => {
    const kind = n % 2 === 0 || films.segments.length === 0 ? "range" : "segments";
    return { kind, title: films[kind][(n >> 1) % films[kind].length] };
  });
  const rates = parts.map(({ title }) => (title.size_bytes * 8) / title.duration_s);
  const bps = rates.reduce((sum, rate) => sum + rate, 0) / Math.max(1, rates.length);
  const lines = [`films that play as they are: ${films.range.length}, in segments: ${films.segments.length}; ${(bps / 1e6).toFixed(1)} Mbit/s on average`];
  if (films.segments.length === 0) lines.push("no film has to go in segments: all viewers read with ranges");
  return { parts, bps, lines };
}
