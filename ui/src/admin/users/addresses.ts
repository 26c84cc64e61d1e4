/** Returns whether an address leads nowhere but to the machine that opens it. */
export function isOwnMachine(address: string): boolean {
  const { hostname } = new URL(address);
  return /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

interface Made {
  url: string;
  /** At each address where other devices reach this server, the best first. */
  urls?: readonly string[];
}

/** Returns the invitation at every address worth handing over; where none is known, at the one this page was opened with. */
export function linksOf(made: Made, here: string): string[] {
  return made.urls && made.urls.length > 0 ? [...made.urls] : [new URL(made.url, here).href];
}
