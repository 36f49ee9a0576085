/** A button that opens a list of actions. Arrow keys walk it, Escape closes it. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { offReason } from "../state/access";

export interface MenuItem {
  text: string;
  run: () => void;
  disabled?: boolean;
  /** As of a button. */
  operates?: boolean;
}

export function Menu({
  label,
  children,
  items,
}: {
  label: string;
  children: ComponentChildren;
  items: readonly MenuItem[];
}) {
  const [open, setOpen] = useState(false);
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const outside = (event: Event) => {
      if (!element.current?.contains(event.target as Node)) setOpen(false);
    };
    element.current?.querySelector<HTMLElement>("[role=menuitem]:not(:disabled)")?.focus();
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [open]);

  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") {
      setOpen(false);
      element.current?.querySelector("button")?.focus();
    } else if (step !== undefined && open) {
      const all = [...element.current!.querySelectorAll<HTMLElement>("[role=menuitem]:not(:disabled)")];
      const place = all.indexOf(document.activeElement as HTMLElement);
      all[(place + step + all.length) % all.length]?.focus();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div class="menu" ref={element} onKeyDown={onKeyDown}>
      <button
        type="button"
        class="button"
        aria-haspopup="menu"
        aria-expanded={open}
        aria-label={label}
        onClick={() => setOpen(!open)}
      >
        {children} ▾
      </button>
      {open && (
        <div role="menu" aria-label={label}>
          {items.map((item) => (
            <button
              key={item.text}
              type="button"
              role="menuitem"
              title={offOf(item) || undefined}
              disabled={item.disabled || offOf(item) !== ""}
              onClick={() => {
                setOpen(false);
                item.run();
              }}
            >
              {item.text}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

/** Why an item is off for who may only look on; empty where it is not. */
function offOf({ operates }: MenuItem): string {
  return operates ? offReason.value : "";
}
