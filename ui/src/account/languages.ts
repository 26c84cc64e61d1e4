// Languages that films speak, by their two-letter codes, each named in its own words.

const CODES = "ar bg ca cs da de el en es et fa fi fr gl he hi hr hu id is it ja ko la lt lv ms nb nl nn pl pt ro ru sk sl sr sv ta th tr uk vi zh".split(" ");

export interface Language {
  value: string;
  text: string;
}

/** How a language calls itself; its code where nobody knows. */
export function nameOf(code: string): string {
  try {
    const name = new Intl.DisplayNames([code], { type: "language", fallback: "none" }).of(code);
    return name ? name.charAt(0).toLocaleUpperCase(code) + name.slice(1) : code;
  } catch {
    return code;
  }
}

/** The list to choose from, with `kept` in it whatever that is. */
export function languages(kept: string | null): Language[] {
  const codes = kept === null || CODES.includes(kept) ? CODES : [...CODES, kept];
  return codes.map((value) => ({ value, text: nameOf(value) })).sort((a, b) => a.text.localeCompare(b.text, "en"));
}
