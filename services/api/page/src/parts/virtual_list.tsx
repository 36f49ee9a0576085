/** A scrolling list or grid of which only the visible items exist, for any number of items. */
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { visibleWindow } from "./virtual";

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
}

export function VirtualList({ count, rowHeight, tileWidth, label, item, current }: VirtualListProps) {
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
  useEffect(() => {
    if (current === undefined || current < 0) return;
    const box = element.current!;
    const top = Math.floor(current / perRow) * rowHeight;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + rowHeight > box.scrollTop + box.clientHeight) box.scrollTop = top + rowHeight - box.clientHeight;
  }, [current, perRow, rowHeight]);

  const { first, end, before, total } = visibleWindow(count, perRow, rowHeight, place.top, place.height);
  const items = [];
  for (let index = first; index < end; index++) items.push(item(index));
  return (
    <div class="virtual" ref={element} tabIndex={0} role="group" aria-label={label}>
      <div class="virtual-all" style={{ height: `${total}px` }}>
        <div
          class={tileWidth ? "virtual-tiles" : "virtual-rows"}
          style={{ transform: `translateY(${before}px)`, gridTemplateColumns: `repeat(${perRow}, 1fr)` }}
        >
          {items}
        </div>
      </div>
    </div>
  );
}
