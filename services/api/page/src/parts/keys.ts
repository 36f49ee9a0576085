/** Keys for operators: a view binds them while it is shown; they rest while a text field or a dialog has the focus. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

export interface KeyBinding {
  /** `KeyboardEvent.key`; with modifiers in front: "ctrl+z", "shift+ArrowDown". */
  key: string;
  text: string;
  run: () => void;
}

const bound = signal<readonly KeyBinding[][]>([]);

/** All keys that work now, for the help. */
export function boundKeys(): KeyBinding[] {
  return bound.value.flat();
}

/** Bind keys while the component is shown; the latest view's bindings win. */
export function useKeys(bindings: readonly KeyBinding[]): void {
  const latest = useRef<KeyBinding[]>([]);
  latest.current.splice(0, latest.current.length, ...bindings);
  useEffect(() => {
    const mine = latest.current;
    bound.value = [...bound.peek(), mine];
    return () => {
      bound.value = bound.peek().filter((one) => one !== mine);
    };
  }, []);
}

/** The name of a pressed key as bindings write it. */
export function keyName(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">): string {
  const modifiers = [
    event.ctrlKey || event.metaKey ? "ctrl+" : "",
    event.altKey ? "alt+" : "",
    event.shiftKey && event.key.length > 1 ? "shift+" : "",
  ];
  return modifiers.join("") + event.key;
}

/** Carry out bound keys from now on. */
export function listenToKeys(): void {
  document.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    if (event.defaultPrevented || target.closest("input:not([type=range], [type=checkbox]), textarea, select, dialog"))
      return;
    if ((event.key === "Enter" || event.key === " ") && target.closest("button, a[href]")) return;
    const name = keyName(event);
    for (const bindings of [...bound.peek()].reverse()) {
      const binding = bindings.find((one) => one.key === name);
      if (binding) {
        event.preventDefault();
        binding.run();
        return;
      }
    }
  });
}
