/** The operator's own choices for the look of the page, kept by the browser. */
import { effect, signal } from "@preact/signals";

export type Theme = "system" | "dark" | "light";
export type TimeZone = "local" | "UTC";

/** A signal whose value outlives the page; `known` lists what it may be. */
function kept<T extends string>(name: string, first: T, known: readonly T[]) {
  const stored = read(name);
  const value = signal<T>(known.find((one) => one === stored) ?? first);
  effect(() => write(name, value.value));
  return value;
}

function read(name: string): string | null {
  try {
    return localStorage.getItem(`warpcore.${name}`);
  } catch {
    return null; // A browser may forbid storage; then choices hold until the page is closed.
  }
}

function write(name: string, value: string): void {
  try {
    localStorage.setItem(`warpcore.${name}`, value);
  } catch {
    // See above.
  }
}

/** The operator's name as they give it, for the history of what they change; empty where they give none. */
export const operator = signal(read("operator") ?? "");
effect(() => write("operator", operator.value));

/** Who changes something from this page, for its history: the operator, or the page where they give no name. */
export function signature(): string {
  return operator.peek().trim() || "page";
}

export const theme = kept<Theme>("theme", "system", ["system", "dark", "light"]);
export const timeZone = kept<TimeZone>("timeZone", "local", ["local", "UTC"]);

/** Counts changes of the theme, the system's own included: plots on canvas read their colours anew. */
export const themeVersion = signal(0);

/** Show the chosen theme from now on. */
export function followTheme(): void {
  const system = matchMedia("(prefers-color-scheme: light)");
  const show = () => {
    const light = theme.value === "light" || (theme.value === "system" && system.matches);
    document.documentElement.dataset.theme = light ? "light" : "dark";
    themeVersion.value = themeVersion.peek() + 1;
  };
  effect(show);
  system.addEventListener("change", show);
}
