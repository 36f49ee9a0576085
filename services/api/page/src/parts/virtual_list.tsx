/** A scrolling list or grid of which only the visible items exist, for any number of items. */
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { visibleWindow } from "./virtual";

/** How an item is found again in a list that has changed: the first one in sight then stays where it is. */
export interface Anchor {
  keyAt(index: number): number;
  /** -1 where the item is gone. */
  indexOf(key: number): number;
}

export interface VirtualListProps {
  count: number;
  /** Height of a row, px; of the tiles in a grid as well. */
  rowHeight: number;
  /** Least width of a tile, px; left out: a list, one item a row. */
  tileWidth?: number;
  label: string;
  /** Draws an item; give it a `key` that follows the movie, not the place. */
  item: (index: number) => ComponentChildren;
  /** This item is scrolled into sight when it changes. */
  current?: number;
  /** Role for screen readers; items are then its options or rows. */
  role?: "group" | "listbox" | "grid";
  /** Id of the item that has the keys' attention, where the role is one that has it. */
  activeId?: string | undefined;
  /** A row above the items that stays in sight, `rowHeight` px high. */
  header?: ComponentChildren;
  anchor?: Anchor;
  /** Told how many items a row has. */
  onPerRow?: (perRow: number) => void;
}

export function VirtualList(props: VirtualListProps) {
  const {
    count,
    rowHeight,
    tileWidth,
    label,
    item,
    current,
    role = "group",
    activeId,
    header,
    anchor,
    onPerRow,
  } = props;
  const element = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState({ top: 0, height: 0, width: 0 });

  useLayoutEffect(() => {
    const box = element.current!;
    const measure = () => setPlace({ top: box.scrollTop, height: box.clientHeight, width: box.clientWidth });
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    box.addEventListener("scroll", measure, { passive: true });
    measure();
    return () => {
      observer.disconnect();
      box.removeEventListener("scroll", measure);
    };
  }, []);

  const perRow = tileWidth ? Math.max(1, Math.floor(place.width / tileWidth)) : 1;
  const above = header === undefined ? 0 : rowHeight;
  useEffect(() => onPerRow?.(perRow), [perRow]);
  useEffect(() => {
    if (current === undefined || current < 0) return;
    const box = element.current!;
    const top = Math.floor(current / perRow) * rowHeight;
    const height = box.clientHeight - above;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + rowHeight > box.scrollTop + height) box.scrollTop = top + rowHeight - height;
  }, [current, perRow, rowHeight, above]);
  useAnchor(element, anchor, count, perRow, rowHeight);

  const { first, end, before, total } = visibleWindow(count, perRow, rowHeight, place.top, place.height);
  const items = [];
  for (let index = first; index < end; index++) items.push(item(index));
  return (
    <div
      class="virtual"
      ref={element}
      tabIndex={0}
      role={role}
      aria-label={label}
      aria-activedescendant={role === "group" ? undefined : activeId}
      aria-multiselectable={role === "group" ? undefined : true}
      aria-rowcount={role === "grid" ? count + 1 : undefined}
    >
      {header}
      <div class="virtual-all" style={{ height: `${total}px` }} role={role === "grid" ? "rowgroup" : undefined}>
        <div
          class={tileWidth ? "virtual-tiles" : "virtual-rows"}
          style={{
            transform: `translateY(${before}px)`,
            gridTemplateColumns: `repeat(${perRow}, 1fr)`,
            gridAutoRows: `${rowHeight}px`,
          }}
        >
          {items}
        </div>
      </div>
    </div>
  );
}

/** Keeps the first item in sight where it is when items come or go above it. A list at its beginning stays there. */
function useAnchor(
  element: { current: HTMLDivElement | null },
  anchor: Anchor | undefined,
  count: number,
  perRow: number,
  rowHeight: number,
): void {
  const held = useRef<{ key: number; row: number } | null>(null);
  useLayoutEffect(() => {
    if (anchor === undefined || count === 0) return;
    const box = element.current!;
    if (held.current !== null && box.scrollTop > 0) {
      const index = anchor.indexOf(held.current.key);
      const row = Math.floor(index / perRow);
      if (index >= 0 && row !== held.current.row) box.scrollTop += (row - held.current.row) * rowHeight;
    }
    const row = Math.floor(box.scrollTop / rowHeight);
    held.current = { key: anchor.keyAt(Math.min(row * perRow, count - 1)), row };
  });
}
