/** Limits of a column as lines over its plot, to drag or to move by keys. A limit that is not set waits at the edge. */
import type { ReadonlySignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { ColumnInfo } from "../../api/types";
import { decimalsIn } from "../../parts/format";
import { columnText, columnTitle, isMoment } from "../../parts/values";
import { draft, drafts, limitsOf, type Side } from "../../state/filter_limits";
import { limitAt, limitByKey, limitStep, shareOf } from "./limit_moves";
import type { Area } from "./raster";

export interface Field {
  left: number;
  top: number;
  width: number;
  height: number;
}

interface Props {
  column: ColumnInfo;
  area: ReadonlySignal<Area>;
  field: ReadonlySignal<Field>;
  /** Which axis of the plot has the column's values. */
  axis: "x" | "y";
}

/** Moments have none: when a movie was found or done does not make it good or bad. */
export function LimitHandles(props: Props) {
  if (props.field.value.height === 0 || isMoment(props.column)) return null;
  return (
    <>
      <LimitHandle side="low" {...props} />
      <LimitHandle side="high" {...props} />
    </>
  );
}

function LimitHandle({ column, area, field, axis, side }: Props & { side: Side }) {
  const dragging = useRef(false);
  const { left, right, bottom, top } = area.value;
  const box = field.value;
  const [low, high] = axis === "y" ? [bottom, top] : [left, right];
  const length = axis === "y" ? box.height : box.width;
  const step = limitStep(high - low, length, column.digits);
  const value = limitsOf(column.name)[side];
  const share = shareOf(value, side, low, high);
  const set = (next: number | null) => draft(column.name, side, next);

  const onPointerMove = (event: PointerEvent) => {
    if (!dragging.current) return;
    const body = (event.currentTarget as HTMLElement).parentElement!.getBoundingClientRect();
    const px = axis === "y" ? event.clientY - body.top - box.top : event.clientX - body.left - box.left;
    set(limitAt(axis === "y" ? 1 - px / length : px / length, side, low, high, step, length));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const next = limitByKey(event.key, value, side, low, high, step);
    if (next === undefined) return;
    event.preventDefault();
    set(next);
  };
  const text = limitText(value, side, column);
  const beyond = value !== null && (value < low || value > high);
  return (
    <div
      class={`limit ${axis} ${side}${value === null ? " unset" : ""}${beyond ? " beyond" : ""}${drafts.value.has(column.name) ? " tried" : ""}`}
      style={placed(axis, share, box)}
      role="slider"
      tabIndex={0}
      aria-label={`${side === "low" ? "Lowest" : "Highest"} ${columnTitle(column)}`}
      aria-orientation={axis === "y" ? "vertical" : "horizontal"}
      aria-valuemin={low}
      aria-valuemax={high}
      aria-valuenow={value ?? (side === "low" ? low : high)}
      aria-valuetext={text}
      title={`${text}. Drag it, or use the arrow keys; Delete: no limit`}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        dragging.current = true;
      }}
      onPointerMove={onPointerMove}
      onPointerUp={() => {
        dragging.current = false;
      }}
      onKeyDown={onKeyDown}
    >
      <span>{value === null ? (side === "low" ? "≥" : "≤") : text}</span>
    </div>
  );
}

/** "≤ 5.0 Å", "no upper limit". */
function limitText(value: number | null, side: Side, column: ColumnInfo): string {
  if (value === null) return side === "low" ? "no lower limit" : "no upper limit";
  return `${side === "low" ? "≥" : "≤"} ${columnText(value, column, decimalsIn(value))}`;
}

function placed(axis: "x" | "y", share: number, box: Field): Record<string, string> {
  return axis === "y"
    ? { top: `${box.top + (1 - share) * box.height}px`, left: `${box.left}px` }
    : { left: `${box.left + share * box.width}px`, top: `${box.top}px`, height: `${box.height}px` };
}
