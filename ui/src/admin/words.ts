// What the owner's half says about machines and work, on top of the words of the kit.
import * as kit from "../kit/words";

export { bytes, clock, plural } from "../kit/words";

const SPACE = " ";

/** Container limits are powers of two by convention, and 512 MB is what everybody calls them. */
export function limit(value: number): string {
  const mebi = value / 1048576;
  return mebi >= 1024 ? `${Number((mebi / 1024).toFixed(1))}${SPACE}GB` : `${Math.round(mebi)}${SPACE}MB`;
}

export function bits(perSecond: number): string {
  const units = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"];
  let size = Math.max(0, perSecond);
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${size < 10 && unit > 1 ? size.toFixed(1) : Math.round(size)}${SPACE}${units[unit]}`;
}

export const percent = (value: number): string => `${Math.round(value)}${SPACE}%`;

/** How long something still takes. Rounded to what a person can plan with. */
export function eta(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 5) return "a few seconds";
  if (seconds < 90) return `about ${Math.round(seconds / 5) * 5}${SPACE}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `about ${minutes}${SPACE}min`;
  const hours = Math.floor(minutes / 60);
  const rest = Math.round((minutes % 60) / 10) * 10;
  if (hours >= 48) return `about ${Math.round(hours / 24)} days`;
  if (rest === 60) return `about ${hours + 1}${SPACE}h`;
  return rest ? `about ${hours}${SPACE}h ${rest}${SPACE}min` : `about ${hours}${SPACE}h`;
}

export function span(seconds: number): string {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))}${SPACE}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${SPACE}min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}${SPACE}h ${Math.floor((seconds % 3600) / 60)}${SPACE}min`;
  return `${Math.floor(seconds / 86400)}${SPACE}d ${Math.floor((seconds % 86400) / 3600)}${SPACE}h`;
}

export const ago = (at: string | null | undefined, now = Date.now()): string => (at ? kit.ago(at, now) : "never");

export const exact = (at: string | null | undefined): string => (at ? kit.exact(at) : "");

export function rate(perSecond: number | null | undefined, what: string): string {
  if (!perSecond || !Number.isFinite(perSecond)) return "";
  return `${perSecond >= 10 ? Math.round(perSecond) : perSecond.toFixed(1)}${SPACE}${what}/s`;
}

export const count = (value: number): string => new Intl.NumberFormat("en").format(value);

/** A first scan fills a disk like nothing after it, so less than about a day says nothing about the pace. */
const FORECAST_FROM_S = 23 * 3600;

/** Days until a disk is full at the present pace, from free space then and now. Null while it is not filling up, or too little is known. */
export function daysToFull(freeThen: number, freeNow: number, seconds: number): number | null {
  const used = freeThen - freeNow;
  if (seconds < FORECAST_FROM_S || used <= 0) return null;
  return freeNow / (used / seconds) / 86400;
}
