// Questions about folders of the machine the house runs on; used by first run and by the library pages.
import { api } from "../api/client";
import type { FolderCheck, FolderList } from "../api/types";

export const checkFolder = (path: string) => api.post<FolderCheck>("/admin/folders/check", { path });
export const listFolder = (path: string) => api.get<FolderList>(`/admin/folders?path=${encodeURIComponent(path)}`);

export type Verdict = { tone: "good" | "attention" | "trouble" | "waiting"; text: string; fix?: string };

/** What the check means, in one sentence, with the command that helps where there is one. */
export function verdict(check: FolderCheck): Verdict {
  const { path } = check;
  if (!check.exists) return { tone: "trouble", text: "There is no such folder on this machine." };
  if (!check.is_directory) return { tone: "trouble", text: "That is a file, not a folder." };
  if (!check.readable) {
    const where = check.blocked_by && check.blocked_by !== path ? `The folder ${check.blocked_by} keeps Loge out.` : "Loge may not read this folder.";
    return check.fix ? { tone: "trouble", text: `${where} This opens it:`, fix: check.fix } : { tone: "trouble", text: where };
  }
  const found = `${new Intl.NumberFormat("en").format(check.videos_found)}${check.counting ? " or more" : ""} ${check.videos_found === 1 && !check.counting ? "video" : "videos"} found.`;
  if (check.warning) return { tone: "attention", text: check.videos_found > 0 ? `${found} ${check.warning}` : check.warning };
  if (check.videos_found === 0) return { tone: "attention", text: "No videos here yet. What appears later is found by itself." };
  return { tone: "good", text: found };
}
