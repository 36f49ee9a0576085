/** Keys for operators: a view binds them while it is shown; they rest while a text field or a dialog has the focus. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { offReason } from "../state/access";
import { notifyProblem } from "../state/notices";

export interface KeyBinding {
  /** As `keyName` writes it: "z", "?", "ctrl+shift+z", "shift+ArrowDown". */
  key: string;
  text: string;
  run: () => void;
  /** It changes the session: who may only look on is told so instead. */
  operates?: boolean;
}

const bound = signal<readonly KeyBinding[][]>([]);

/** All keys that work now, for the help; each once. */
export function boundKeys(): KeyBinding[] {
  return effective(bound.value);
}

/** The bindings that act where of several for one key the last wins. */
export function effective(layers: readonly (readonly KeyBinding[])[]): KeyBinding[] {
  const all = layers.flat();
  const winning = new Map(all.map((binding) => [binding.key, binding]));
  return all.filter((binding) => winning.get(binding.key) === binding);
}

/** Bind keys while the component is shown; a view's bindings win over the shell's, whichever was shown first. */
export function useKeys(bindings: readonly KeyBinding[], owner: "view" | "shell" = "view"): void {
  const latest = useRef<KeyBinding[]>([]);
  latest.current.splice(0, latest.current.length, ...bindings);
  useEffect(() => {
    const mine = latest.current;
    bound.value = owner === "shell" ? [mine, ...bound.peek()] : [...bound.peek(), mine];
    return () => {
      bound.value = bound.peek().filter((one) => one !== mine);
    };
  }, []);
}

/** The name of a pressed key as bindings write it.
 *
 * A letter with Ctrl or Alt is lower-case, whatever Caps Lock does, and Shift is named; without them "?" needs no Shift.
 */
export function keyName(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">): string {
  const ctrl = event.ctrlKey || event.metaKey;
  const letter = (ctrl || event.altKey) && /^\p{L}$/u.test(event.key);
  const modifiers = [
    ctrl ? "ctrl+" : "",
    event.altKey ? "alt+" : "",
    event.shiftKey && (letter || event.key.length > 1) ? "shift+" : "",
  ];
  return modifiers.join("") + (letter ? event.key.toLowerCase() : event.key);
}

const LABELS: Record<string, string> = {
  " ": "Space",
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  ctrl: "Ctrl",
  alt: "Alt",
  shift: "Shift",
};

/** A binding's key as keyboards are labelled: "ctrl+shift+z" is Ctrl+Shift+Z; a lower-case letter alone stays so. */
export function keyLabel(key: string): string {
  if (key.length === 1) return LABELS[key] ?? key.replace(/^\p{Lu}$/u, "Shift+$&");
  return key
    .split("+")
    .map((part) => LABELS[part] ?? part.replace(/^\p{Ll}$/u, upper))
    .join("+");
}

function upper(letter: string): string {
  return letter.toUpperCase();
}

/** Carry out bound keys from now on. */
export function listenToKeys(): void {
  document.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    if (event.defaultPrevented || target.closest("input:not([type=range], [type=checkbox]), textarea, select, dialog"))
      return;
    if ((event.key === "Enter" || event.key === " ") && target.closest("button, a[href]")) return;
    const name = keyName(event);
    const binding = effective(bound.peek()).find((one) => one.key === name);
    if (binding === undefined) return;
    event.preventDefault();
    if (binding.operates && offReason.peek()) notifyProblem(new Error(offReason.peek()));
    else binding.run();
  });
}
