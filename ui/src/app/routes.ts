// Every address of the UI, who may see it, and the page that shows it. Pages are fetched when they are first needed.
import type { Component } from "svelte";

export type Access = "anyone" | "user" | "admin";
export type Shell = "viewer" | "owner" | "bare" | "stage";
export type Params = Record<string, string>;
// biome-ignore lint/suspicious/noExplicitAny: each page declares the params it takes; the router hands over what its pattern names.
export type PageModule = { default: Component<any> };

export interface Route {
  pattern: string;
  access: Access;
  shell: Shell;
  load: () => Promise<PageModule>;
}

export const routes: readonly Route[] = [
  { pattern: "/", access: "user", shell: "viewer", load: () => import("../browse/Home.svelte") },
  { pattern: "/search", access: "user", shell: "viewer", load: () => import("../browse/Grid.svelte") },
  { pattern: "/library/:id", access: "user", shell: "viewer", load: () => import("../browse/Grid.svelte") },
  { pattern: "/title/:id", access: "user", shell: "viewer", load: () => import("../browse/Title.svelte") },
  { pattern: "/account", access: "user", shell: "viewer", load: () => import("../account/Account.svelte") },
  { pattern: "/watch/:id", access: "user", shell: "stage", load: () => import("../watch/Watch.svelte") },
  { pattern: "/setup", access: "anyone", shell: "bare", load: () => import("../setup/Setup.svelte") },
  { pattern: "/signin", access: "anyone", shell: "bare", load: () => import("../signin/SignIn.svelte") },
  { pattern: "/invite", access: "anyone", shell: "bare", load: () => import("../signin/Invite.svelte") },
  { pattern: "/invite/:token", access: "anyone", shell: "bare", load: () => import("../signin/Invite.svelte") },
  { pattern: "/admin", access: "admin", shell: "owner", load: () => import("../admin/home/Page.svelte") },
  { pattern: "/admin/users", access: "admin", shell: "owner", load: () => import("../admin/users/Page.svelte") },
  { pattern: "/admin/containers", access: "admin", shell: "owner", load: () => import("../admin/containers/Page.svelte") },
  { pattern: "/admin/libraries", access: "admin", shell: "owner", load: () => import("../admin/libraries/Page.svelte") },
  { pattern: "/admin/prepared", access: "admin", shell: "owner", load: () => import("../admin/prepared/Page.svelte") },
  { pattern: "/admin/backups", access: "admin", shell: "owner", load: () => import("../admin/backups/Page.svelte") },
  { pattern: "/admin/settings", access: "admin", shell: "owner", load: () => import("../admin/settings/Page.svelte") },
];
