/** A worker's log, live: lines come by themselves while the view is shown. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { getJson, inPath, refusal } from "../../api/client";
import { Button, Empty, Select, Toolbar } from "../../parts/controls";
import { formatTime } from "../../parts/format";
import { useEvery } from "../../parts/fresh";
import { go, route, setQuery } from "../../state/route";
import { workers } from "../../state/session";
import { chosen, emptyWords, joined, type LogLine } from "./lines";

const EVERY_MS = 1_000;
const WHOLE_EVERY = 10;
const MOST = 1_000;

export function LogsView() {
  const worker = route.value.subject || workers.value[0]?.id || "";
  if (worker === "")
    return <Empty>No worker, so no log. The services' own logs lie in the processing directory.</Empty>;
  const known = workers.value.map(({ id }) => id);
  const names = known.includes(worker) ? known : [worker, ...known];
  const level = route.value.query.get("level") ?? "INFO";
  const text = route.value.query.get("text") ?? "";
  return (
    <div class="logs">
      <Toolbar label="Which lines">
        <Select
          label="Worker"
          choices={names.map((id) => ({ value: id, text: id }))}
          value={worker}
          onChange={(id) => go("logs", id, route.peek().query)}
        />
        <Select
          label="At least"
          choices={["DEBUG", "INFO", "WARNING", "ERROR"].map((one) => ({ value: one, text: one.toLowerCase() }))}
          value={level}
          onChange={(one) => setQuery({ level: one === "INFO" ? null : one })}
        />
        <input
          type="search"
          aria-label="Lines that hold"
          placeholder="Lines that hold …"
          value={text}
          onInput={(event) => setQuery({ text: event.currentTarget.value || null })}
        />
      </Toolbar>
      <Lines key={worker} worker={worker} level={level} text={text} />
    </div>
  );
}

function Lines({ worker, level, text }: { worker: string; level: string; text: string }) {
  const lines = useSignal<readonly LogLine[] | null>(null);
  const refused = useSignal("");
  const follows = useSignal(true);
  const box = useRef<HTMLDivElement>(null);
  const asked = useRef(0);
  useEvery(EVERY_MS, async () => {
    // Now and then from the begin: a scheduler that was started again counts lines anew.
    const after = asked.current++ % WHOLE_EVERY === 0 ? 0 : (lines.peek()?.at(-1)?.number ?? 0);
    try {
      const came = await getJson<{ lines: LogLine[] }>(`/api/workers/${inPath(worker)}/logs`, { after, limit: MOST });
      const kept = lines.peek();
      if (kept === null || came.lines.length > 0) lines.value = joined(kept ?? [], came.lines, MOST);
      refused.value = "";
    } catch (error) {
      refused.value = refusal(error)?.message ?? refused.peek();
    }
  });
  const shown = chosen(lines.value ?? [], level, text);
  useEffect(() => {
    if (follows.value && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current!;
    follows.value = scrollTop + clientHeight >= scrollHeight - 4;
  };
  return (
    <>
      <div class="log" ref={box} onScroll={onScroll} tabIndex={0} role="log" aria-label={`Log of ${worker}`}>
        {shown.length === 0 && <Empty>{refused.value || emptyWords(lines.value)}</Empty>}
        {shown.map((line) => (
          <div key={line.number} class={`line ${line.level.toLowerCase()}`}>
            <time>{formatTime(line.ts * 1000)}</time> <b>{line.level}</b> {line.text}
          </div>
        ))}
      </div>
      {!follows.value && (
        <Button
          onClick={() => {
            follows.value = true;
          }}
        >
          Follow the newest line
        </Button>
      )}
    </>
  );
}
