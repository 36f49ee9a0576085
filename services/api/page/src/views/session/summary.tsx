/** State, progress by status, rate and time left, as one row of figures. */
import type { ComponentChildren } from "preact";
import type { Order, ProcessingStatus } from "../../api/types";
import { Button, type Choice, Select } from "../../parts/controls";
import { counted, formatCount, formatDuration, formatNumber } from "../../parts/format";
import { STATUS_WORDS } from "../../parts/state_words";
import { hrefOf } from "../../state/route";
import { unseenAlarms } from "../../state/session";
import { moodOf } from "./sentence";

const ORDERS: readonly Choice<Order>[] = [
  { value: "normal", text: "as found" },
  { value: "oldest", text: "oldest first" },
  { value: "latest", text: "newest first" },
  { value: "alternate", text: "newest and oldest in turn" },
];

/** Time until nothing is left at the present rate; a dash where nothing is left or no rate is known. */
export function timeLeft(left: number, ratePerHour: number | null): string {
  if (left === 0 || !ratePerHour) return "–";
  return formatDuration((left / ratePerHour) * 3600);
}

export function Summary({
  status,
  startOrPause,
  setOrder,
}: {
  status: ProcessingStatus;
  startOrPause: () => void;
  setOrder: (order: Order) => void;
}) {
  const { isProcessing, totalItems, itemsLeft, ratePerHour, rerunsPerHour, rateWindowSeconds, workers, counts } =
    status;
  const window = `Measured over the last ${formatDuration(rateWindowSeconds)}`;
  const donePerHour = (ratePerHour ?? 0) + (rerunsPerHour ?? 0);
  return (
    <section class="summary" aria-label="Progress">
      <StateSentence status={status} />
      <div class="figures">
        <Button
          operates
          kind={isProcessing ? "plain" : "primary"}
          onClick={startOrPause}
          title={isProcessing ? "Hand out no more movies (p)" : "Hand movies to workers (p)"}
        >
          {isProcessing ? "Pause" : "Start"}
        </Button>
        <Figure name="movies" value={formatCount(totalItems)} />
        <Figure name="movies an hour" value={formatNumber(ratePerHour)} title={window} />
        {rerunsPerHour ? (
          <Figure
            name="reruns an hour"
            value={formatNumber(rerunsPerHour)}
            title={`Movies of which only some steps ran again. ${window}`}
          />
        ) : null}
        <Figure name="left" value={formatCount(itemsLeft)} />
        <Figure name="time left" value={timeLeft(itemsLeft, donePerHour)} />
        <Figure name={workers === 1 ? "worker" : "workers"} value={formatCount(workers)} />
        <Figure
          name="failed"
          value={
            <a class={counts.failed ? "bad" : "plain"} href={hrefOf("failures")}>
              {formatCount(counts.failed ?? 0)}
            </a>
          }
        />
        <span class="order">
          <Select operates label="Next movie" choices={ORDERS} value={status.order} onChange={setOrder} />
        </span>
      </div>
      <StatusBar counts={counts} total={totalItems} />
    </section>
  );
}

function StateSentence({ status }: { status: ProcessingStatus }) {
  return (
    <p class="sentence" data-mood={moodOf(status.summary, unseenAlarms.value)} role="status">
      {status.summary}
      {status.pausedBy === "idle" && " It goes on by itself with the next movie."}
    </p>
  );
}

function Figure({ name, value, title }: { name: string; value: ComponentChildren; title?: string }) {
  return (
    <div class="figure" title={title}>
      <strong>{value}</strong>
      <span>{name}</span>
    </div>
  );
}

/** All movies as one bar, a part for each status. */
function StatusBar({ counts, total }: { counts: ProcessingStatus["counts"]; total: number }) {
  const parts = STATUS_WORDS.filter(([status]) => counts[status]);
  const text = parts.map(([status, word]) => `${formatCount(counts[status]!)} ${word}`).join(", ");
  return (
    <div>
      <div class="status-bar" role="img" aria-label={`${counted(total, "movie")}: ${text || "none yet"}`}>
        {parts.map(([status]) => (
          <span key={status} class={status} style={{ flexGrow: counts[status]! }} />
        ))}
      </div>
      <ul class="legend" aria-hidden="true">
        {parts.map(([status, word]) => (
          <li key={status}>
            <i class={status} />
            {formatCount(counts[status]!)} {word}
          </li>
        ))}
      </ul>
    </div>
  );
}
