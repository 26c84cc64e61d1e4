export const KINDS = [
  { id: "movies", name: "Films", hint: "one file or folder per film" },
  { id: "shows", name: "Series", hint: "seasons and episodes" },
  { id: "home", name: "Home videos", hint: "your own recordings, by date" },
] as const;

export const kindWord = (kind: string): string => KINDS.find((k) => k.id === kind)?.name ?? kind;
export const folderWord = (state: string): string => ({ offline: "not there", unreadable: "cannot be read" })[state] ?? "";
