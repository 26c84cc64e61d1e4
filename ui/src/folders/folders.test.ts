import { describe, expect, it } from "vitest";
import type { FolderCheck } from "../api/types";
import { verdict } from "./folders";

const check = (over: Partial<FolderCheck>): FolderCheck => ({
  path: "/srv/films",
  exists: true,
  is_directory: true,
  readable: true,
  videos_found: 3,
  counting: false,
  ...over,
});

describe("a folder", () => {
  it("counts what it found, honestly", () => {
    expect(verdict(check({}))).toEqual({ tone: "good", text: "3 videos found." });
    expect(verdict(check({ videos_found: 1 })).text).toBe("1 video found.");
    expect(verdict(check({ videos_found: 12000, counting: true })).text).toBe("12,000 or more videos found.");
  });
  it("names what blocks and what opens it", () => {
    const said = verdict(check({ path: "/home/mara/Videos", readable: false, blocked_by: "/home/mara", fix: "sudo setfacl …" }));
    expect(said).toEqual({ tone: "trouble", text: "The folder /home/mara keeps Loge out. This opens it:", fix: "sudo setfacl …" });
  });
  it("tells missing, file and empty apart", () => {
    expect(verdict(check({ exists: false })).text).toContain("no such folder");
    expect(verdict(check({ is_directory: false })).text).toContain("a file");
    expect(verdict(check({ videos_found: 0 })).tone).toBe("attention");
  });
});
