/** Pools: their workers and jobs, what is wrong with them, and how many workers they may have. */
import { useSignal } from "@preact/signals";
import { LARGEST_POOL, type Pool, type PoolChange, poolsApi } from "../../api/pools";
import { Button, Facts, Panel } from "../../parts/controls";
import { formatDuration } from "../../parts/format";
import { useEvery } from "../../parts/fresh";
import { OperatorField } from "../../parts/operator_field";
import { act, notify } from "../../state/notices";
import { signature } from "../../state/preferences";
import { changeOf, type Draft, NOTHING_TYPED } from "./pool_limits";

const EVERY_MS = 2_000;
/** A pool reports every 10 s or so, and at least every 30 s. */
const SILENT_S = 40;

export function Pools() {
  const pools = useSignal<readonly Pool[]>([]);
  const load = async () => {
    pools.value = await poolsApi.all();
  };
  useEvery(EVERY_MS, load);
  return (
    <>
      {pools.value.map((pool) => (
        <PoolPanel key={pool.name} pool={pool} onChange={() => void load()} />
      ))}
    </>
  );
}

function PoolPanel({ pool, onChange }: { pool: Pool; onChange: () => void }) {
  const draft = useSignal<Draft>(NOTHING_TYPED);
  const change = changeOf(draft.value, pool);
  const send = (wanted: PoolChange) =>
    act(poolsApi.change(pool.name, wanted, signature()), ({ minimum, maximum }) => {
      draft.value = NOTHING_TYPED;
      notify(`Pool ${pool.name} may have ${minimum} to ${maximum} workers from its next look on.`);
      onChange();
    });
  return (
    <Panel title={`Pool ${pool.name}`} wide>
      <Facts facts={facts(pool)} />
      <div class="pool-limits">
        <Limit
          name="at least"
          of={pool}
          limit="minimum"
          draft={draft.value}
          onType={(typed) => (draft.value = typed)}
        />
        <Limit name="at most" of={pool} limit="maximum" draft={draft.value} onType={(typed) => (draft.value = typed)} />
        <OperatorField />
        <Button
          operates
          kind="primary"
          disabled={change === null || typeof change === "string"}
          onClick={() => void (change !== null && typeof change !== "string" && send(change))}
        >
          Apply
        </Button>
        {pool.problems.length > 0 && (
          <Button
            operates
            title="Where the pool has stopped: submit jobs again"
            onClick={() => void send({ resume: true })}
          >
            Resume
          </Button>
        )}
        <small role="status">{typeof change === "string" ? change : whoseLimits(pool)}</small>
      </div>
      {pool.problems.length > 0 && (
        <ul class="attention" aria-label={`Problems of pool ${pool.name}`}>
          {pool.problems.map((problem) => (
            <li key={problem} class="warning">
              {problem}
            </li>
          ))}
        </ul>
      )}
      {pool.log.length > 0 && (
        <details>
          <summary>Log of the job that died last</summary>
          <pre>{pool.log.join("\n")}</pre>
        </details>
      )}
    </Panel>
  );
}

function facts(pool: Pool): [string, string | number][] {
  const known: [string, string | number][] = [
    ["batch system", pool.executor],
    ["workers", pool.registered],
    ["wanted", pool.wanted],
    ["jobs that run", pool.running],
    ["jobs queued", pool.queued],
    ["submitted in the last hour", pool.submittedLastHour],
  ];
  return pool.silentSeconds > SILENT_S ? [...known, ["silent for", formatDuration(pool.silentSeconds)]] : known;
}

function whoseLimits({ revision, takenOver }: Pool): string {
  if (!takenOver) return "The pool has not taken these limits over yet.";
  return revision > 0 ? "" : "As the pool's file says.";
}

interface LimitProps {
  name: string;
  of: Pool;
  limit: keyof Draft;
  draft: Draft;
  onType: (draft: Draft) => void;
}

function Limit({ name, of, limit, draft, onType }: LimitProps) {
  return (
    <label class="field">
      <span>{name}</span>
      <input
        type="number"
        min={0}
        max={LARGEST_POOL}
        value={draft[limit] ?? String(of[limit])}
        onInput={(event) => onType({ ...draft, [limit]: event.currentTarget.value })}
      />
      <span>workers</span>
    </label>
  );
}
