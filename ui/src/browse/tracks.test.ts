import { render, screen } from "@testing-library/svelte";
import { expect, test } from "vitest";
import type { Title, TitleFile } from "../api/types";
import Tracks from "./Tracks.svelte";

/** What the server sends of a file it has not looked into yet, or that is no film. */
const unread: TitleFile = { id: "f1", size_bytes: 2_000_000, playability: "unknown", missing: false };
const film: TitleFile = {
  ...unread,
  id: "f2",
  container: "mkv",
  width: 1920,
  height: 800,
  video_codec: "h264",
  bitrate: 5_000_000,
  duration_s: 5400,
  playability: "direct",
};

const title = (files: TitleFile[]): Title => ({
  id: "t1",
  library_id: "l1",
  name: "Night Ferry",
  duration_s: 0,
  width: 0,
  height: 0,
  container: "",
  size_bytes: 2_000_000,
  playability: "unknown",
  added_at: "2026-01-01T00:00:00Z",
  missing: false,
  files,
  audio_tracks: [],
  subtitles: [],
  chapters: [],
});

test("a file that was not read yet is shown with what is known of it", () => {
  render(Tracks, { title: title([unread]) });
  expect(screen.getByText("2 MB")).toBeTruthy();
  expect(screen.getByText("unknown")).toBeTruthy();
});

test("a file that was read is shown with all its facts", () => {
  render(Tracks, { title: title([film]) });
  expect(screen.getByText("MKV · 2 MB · 1 h 30 min")).toBeTruthy();
  expect(screen.getByText(/1920 × 800/)).toBeTruthy();
});
