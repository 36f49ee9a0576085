/** Failed movies by kind of failure, each with its reason; tried again or forgotten one by one, by kind, or all. */
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { api, type ForgetChoice, type RetryChoice } from "../../api/client";
import type { Movie } from "../../api/types";
import { Button, Empty, Panel, TableHead, Toolbar } from "../../parts/controls";
import { counted } from "../../parts/format";
import { useFresh } from "../../parts/fresh";
import { stateWords } from "../../parts/state_words";
import { retry } from "../../state/failed";
import { hrefOf } from "../../state/route";
import { status } from "../../state/session";
import { ForgetDialog } from "./forget_dialog";
import { byKind, type FailureGroup, KINDS } from "./groups";

const MOST = 500;

const failed = signal<readonly Movie[] | null>(null);

async function loadFailed(): Promise<void> {
  failed.value = (await api.items({ status: "failed", pageSize: MOST })).items;
}

/** Failed movies that are to be forgotten, in words, once a person has confirmed it. */
interface Forgetting {
  movies: string;
  choice: ForgetChoice;
}

type Ask = (forgetting: Forgetting) => void;

export function FailuresView() {
  const reload = useFresh(loadFailed, "movie.");
  const [forgetting, setForgetting] = useState<Forgetting | null>(null);
  if (failed.value === null) return <Empty>Looking for failed movies.</Empty>;
  return (
    <>
      {failed.value.length === 0 ? (
        <Empty>No movie has failed.</Empty>
      ) : (
        <All movies={failed.value} ask={setForgetting} />
      )}
      {forgetting && <ForgetDialog {...forgetting} onForgotten={reload} onClose={() => setForgetting(null)} />}
    </>
  );
}

function All({ movies, ask }: { movies: readonly Movie[]; ask: Ask }) {
  const total = Math.max(status.value?.counts.failed ?? 0, movies.length);
  return (
    <>
      <Toolbar label="Failed movies">
        <span>
          {counted(total, "movie")} failed
          {total > movies.length && `; the first ${movies.length} are listed`}
        </span>
        <RetryButtons text="Try all again" choice={{}} />
        <Button
          operates
          kind="danger"
          onClick={() =>
            ask({ movies: `all ${counted(total, "failed movie")}`, choice: { filter: ["status:failed"] } })
          }
        >
          Forget all …
        </Button>
      </Toolbar>
      <div class="failures">
        {byKind(movies).map((group) => (
          <Group key={group.kind} group={group} ask={ask} />
        ))}
      </div>
    </>
  );
}

function Group({ group: { kind, movies }, ask }: { group: FailureGroup; ask: Ask }) {
  const ids = movies.map(({ id }) => id);
  return (
    <Panel
      title={`${stateWords(kind)} (${movies.length})`}
      actions={
        <span>
          <RetryButtons text="Try all of this kind again" choice={{ kind }} />
          <Button operates kind="danger" onClick={() => ask({ movies: counted(ids.length, "movie"), choice: { ids } })}>
            Forget these …
          </Button>
        </span>
      }
    >
      <p class="section-help">{KINDS[kind]}</p>
      <table class="values">
        <TableHead words={["movie", "step", "reason", "host", "again"]} />
        <tbody>
          {movies.map(({ id, name, failure }) => (
            <tr key={id}>
              <th scope="row">
                <a href={hrefOf("movies", name)}>{name}</a>
              </th>
              <td>{failure?.step}</td>
              <td class="long">{failure?.message}</td>
              <td>{failure?.host}</td>
              <td class="actions">
                <RetryButtons text="Retry" label={`Retry ${name}`} choice={{ ids: [id] }} />
                <Button
                  operates
                  kind="quiet"
                  label={`Forget ${name}`}
                  title="Take it out of the session"
                  onClick={() => ask({ movies: name, choice: { ids: [id] } })}
                >
                  forget
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

/** Tries movies again: only the steps that lack results, or all of them. `label` names them where `text` does not. */
function RetryButtons({ text, label = text, choice }: { text: string; label?: string; choice: RetryChoice }) {
  return (
    <span>
      <Button operates label={label} onClick={() => void retry(choice)}>
        {text}
      </Button>
      <Button
        operates
        kind="quiet"
        title="Also run the steps whose results are there"
        label={`${label} with all steps`}
        onClick={() => void retry({ ...choice, force: true })}
      >
        all steps
      </Button>
    </span>
  );
}
