/** Which of many rows or tiles are visible, so that only these are drawn. */

export interface Window {
  /** The first drawn item, and the one after the last. */
  first: number;
  end: number;
  /** Height before the first drawn item, and of all, px. */
  before: number;
  total: number;
}

/** The items to draw: `count` items in rows of `perRow`, each row `rowHeight` px high, `spare` rows beyond each edge. */
export function visibleWindow(
  count: number,
  perRow: number,
  rowHeight: number,
  scrollTop: number,
  height: number,
  spare = 3,
): Window {
  const rows = Math.ceil(count / perRow);
  const firstRow = Math.min(Math.max(0, Math.floor(scrollTop / rowHeight) - spare), rows);
  const endRow = Math.min(rows, Math.ceil((scrollTop + height) / rowHeight) + spare);
  return {
    first: firstRow * perRow,
    end: Math.min(count, Math.max(firstRow, endRow) * perRow),
    before: firstRow * rowHeight,
    total: rows * rowHeight,
  };
}
