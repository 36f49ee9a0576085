/** Numbers, durations and times as the field writes them. */
import { timeZone } from "../state/preferences";

const THIN_SPACE = "\u202f";
const NO_VALUE = "–";

/** A whole number with its thousands apart: 12 345. */
export function formatCount(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, THIN_SPACE);
}

/** `count` with its noun: "1 movie", "1 204 movies". */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** A measured value with its column's digits; a dash where there is none, ∞ as such. */
export function formatNumber(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined || Number.isNaN(value)) return NO_VALUE;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const [whole = "", part] = Math.abs(value).toFixed(digits).split(".");
  const grouped = formatCount(Number(whole));
  const text = part ? `${grouped}.${part}` : grouped;
  return value < 0 && Number(text.replaceAll(THIN_SPACE, "")) !== 0 ? `−${text}` : text;
}

/** How many decimals a number needs that somebody has entered or that was rounded: 2 for 1.25. */
export function decimalsIn(value: number): number {
  return String(value).split(".")[1]?.length ?? 0;
}

/** A value and its unit: "1.2345 µm", "45.00°". */
export function withUnit(value: number | null | undefined, unit: string, digits = 0): string {
  const text = formatNumber(value, digits);
  if (text === NO_VALUE || unit === "") return text;
  return unit === "°" || unit === "%"
    ? `${text}${unit === "%" ? THIN_SPACE : ""}${unit}`
    : `${text}${THIN_SPACE}${unit}`;
}

/** Seconds in the two largest units: "2 h 05 min", "4 min 10 s", "3.2 s", "12 ms". */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return NO_VALUE;
  if (seconds > 0 && seconds < 0.095) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
  const hours = Math.round(seconds / 3600);
  return `${Math.floor(hours / 24)} d ${pad(hours % 24)} h`;
}

function pad(value: number): string {
  return value.toString().padStart(2, "0");
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Bytes in powers of 1000: "12.3 GB". */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)}${THIN_SPACE}${UNITS[unit]}`;
}

/** A moment as "14:03:21", with its date where it is not today; in the zone that the operator chose. */
export function formatTime(moment: Date | string | number, now = new Date()): string {
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return NO_VALUE;
  const zone = timeZone.value === "UTC" ? { timeZone: "UTC" } : {};
  const day = (one: Date) => new Intl.DateTimeFormat("sv-SE", { ...zone, dateStyle: "short" }).format(one);
  const clock = new Intl.DateTimeFormat("sv-SE", { ...zone, timeStyle: "medium" }).format(date);
  return day(date) === day(now) ? clock : `${day(date)} ${clock}`;
}

/** The page's font size, px: it grows with the screen. */
export function rootFontPx(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
}
