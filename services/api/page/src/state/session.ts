/** The session as the page knows it: status, workers, alarms, columns, and whether the connection stands. */
import { computed, signal } from "@preact/signals";
import type { Alarm, ColumnInfo, Movie, ProcessingStatus, RunningTask, Worker } from "../api/types";

export type ConnectionState = "connecting" | "connected" | "lost";

export interface Connection {
  state: ConnectionState;
  /** One line for the operator where something is amiss; empty where all is well. */
  text: string;
}

export const connection = signal<Connection>({ state: "connecting", text: "" });
export const status = signal<ProcessingStatus | null>(null);
export const workers = signal<readonly Worker[]>([]);
export const alarms = signal<readonly Alarm[]>([]);

/** Alarms that nobody has seen yet. */
export const unseenAlarms = computed(() => alarms.value.filter(({ acknowledged }) => !acknowledged));

export const columnInfos = signal<readonly ColumnInfo[]>([]);

/** The movies that were done last, the newest first, whatever their status is now. */
export const latest = signal<readonly Movie[]>([]);

/** Columns by name. */
export const columnByName = computed(() => new Map(columnInfos.value.map((column) => [column.name, column])));

/** A column's heading: the word for its value in all views. */
export function headingOf(column: string): string {
  return columnByName.value.get(column)?.heading ?? "";
}

/** Show at once what a `task.*` event tells: a lease that has ended is gone, any other is as told. */
export function showTask(topic: string, { movie, worker, lease, purpose, step, fraction, message }: RunningTask): void {
  const now = status.peek();
  if (now === null) return;
  const running = now.running.filter((task) => task.lease !== lease);
  const ended = topic === "task.finished" || topic === "task.lost";
  if (!ended) running.push({ movie, worker, lease, purpose, step, fraction, message });
  status.value = { ...now, running: running.sort((one, other) => one.lease - other.lease) };
}
