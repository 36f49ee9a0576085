/** Failed movies by kind of failure, each with its reason; tried again one by one, by kind, or all. */
import { signal } from "@preact/signals";
import { api, type RetryChoice } from "../../api/client";
import type { Movie } from "../../api/types";
import { Button, Empty, Panel, TableHead, Toolbar } from "../../parts/controls";
import { counted } from "../../parts/format";
import { useFresh, whereItAnswers } from "../../parts/fresh";
import { notify, notifyProblem } from "../../state/notices";
import { hrefOf } from "../../state/route";
import { status } from "../../state/session";
import { refreshSession, throttled } from "../../state/sync";
import { byKind, type FailureGroup, KINDS, retryWords } from "./groups";

const MOST = 500;
const PAUSE_MS = 500;

async function retry(choice: RetryChoice): Promise<void> {
  try {
    const { retried, refused } = await api.retryMany(choice);
    notify(retryWords(retried, refused));
    refreshSession();
  } catch (error) {
    notifyProblem(error);
  }
}

const failed = signal<readonly Movie[] | null>(null);

const loadFailed = throttled(
  () =>
    whereItAnswers(async () => {
      failed.value = (await api.items({ status: "failed", pageSize: MOST })).items;
    }),
  PAUSE_MS,
);

export function FailuresView() {
  useFresh(loadFailed, "movie.");
  if (failed.value === null) return <Empty>Looking for failed movies.</Empty>;
  if (failed.value.length === 0) return <Empty>No movie has failed.</Empty>;
  const total = status.value?.counts.failed ?? failed.value.length;
  return (
    <>
      <Toolbar label="Failed movies">
        <span>
          {counted(total, "movie")} failed
          {total > failed.value.length && `; the first ${failed.value.length} are listed`}
        </span>
        <RetryButtons text="Try all again" choice={{}} />
      </Toolbar>
      <div class="failures">
        {byKind(failed.value).map((group) => (
          <Group key={group.kind} group={group} />
        ))}
      </div>
    </>
  );
}

function Group({ group: { kind, movies } }: { group: FailureGroup }) {
  return (
    <Panel
      title={`${kind.replaceAll("_", " ")} (${movies.length})`}
      actions={<RetryButtons text="Try all of this kind again" choice={{ kind }} />}
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
      <Button label={label} onClick={() => void retry(choice)}>
        {text}
      </Button>
      <Button
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
