// How fast a machine is, in words.

/** "4.2 × real time"; below 1 it is slower than the film, and nobody can watch it. */
export const times = (x: number): string => `${x >= 10 ? Math.round(x) : x.toFixed(1)} × real time${x < 1 ? ", too slow" : ""}`;
