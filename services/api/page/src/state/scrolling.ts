/** How far each entry of the browser's history was scrolled: a new view begins at its top, going back returns. */

export class ScrollMemory {
  private readonly tops = new Map<number, number>();

  constructor(private entry: number) {}

  /** The page goes from the present entry, which is scrolled to `top` (px), to another. Returns where that one was. */
  goTo(entry: number, top: number): number {
    this.tops.set(this.entry, top);
    this.entry = entry;
    return this.tops.get(entry) ?? 0;
  }
}

let wantedTop = 0;

/** Follow the browser's history from now on; before the views follow it, so that the page is still scrolled as it was. */
export function followScrolling(): void {
  history.scrollRestoration = "manual";
  const memory = new ScrollMemory(numberOfEntry());
  window.addEventListener("hashchange", () => {
    wantedTop = memory.goTo(numberOfEntry(), window.scrollY);
  });
}

/** Scroll to where the present view begins, or was left. */
export function scrollToView(): void {
  window.scrollTo(0, wantedTop);
}

/** A number that the browser keeps with the present entry of its history; a new entry gets one. */
function numberOfEntry(): number {
  const known: unknown = history.state?.entry;
  if (typeof known === "number") return known;
  const entry = Date.now();
  history.replaceState({ entry }, "");
  return entry;
}
