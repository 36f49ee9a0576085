/** The form that starts an export job: what, of which movies, with which settings of this job alone. */
import { useSignal } from "@preact/signals";
import { ProblemError } from "../../api/client";
import { type ExportKind, exportsApi, type Job } from "../../api/exports";
import { Button, Panel, Segments } from "../../parts/controls";
import { counted } from "../../parts/format";
import { useFresh } from "../../parts/fresh";
import { SettingChanges } from "../../parts/setting_changes";
import { SettingControl } from "../../parts/setting_control";
import { changedFrom, changesOf, settingIn, textOf } from "../../parts/setting_fields";
import { movies } from "../../state/movies";
import { notify, notifyProblem } from "../../state/notices";
import { marked, markedCount } from "../../state/selection";
import { loadSettings, sections, settings } from "../../state/settings";

const SECTION = "export";

export function StartExport({ onStarted }: { onStarted: (job: Job) => void }) {
  const kind = useSignal<ExportKind>("particles");
  const which = useSignal<"all" | "marked">("all");
  const texts = useSignal<ReadonlyMap<string, string>>(new Map());
  const refused = useSignal<ReadonlyMap<string, string>>(new Map());
  useFresh(loadSettings, "settings.changed");
  const fields = sections.value.find(({ name }) => name === SECTION)?.fields ?? [];
  const { changes, problems } = changesOf(fields, settings.value, texts.value);
  const start = async () => {
    try {
      const names = which.peek() === "marked" ? markedNames() : null;
      const job = await exportsApi.start(kind.peek(), changes[SECTION] ?? {}, names);
      notify(`${job.job} exports ${counted(job.total, "movie")}.`);
      onStarted(job);
    } catch (error) {
      if (error instanceof ProblemError && error.faults.length > 0) refused.value = error.byName;
      else notifyProblem(error);
    }
  };
  return (
    <Panel title="New export">
      <div class="export-choices">
        <Segments
          label="What"
          value={kind.value}
          onChange={(value) => {
            kind.value = value;
          }}
          choices={[
            { value: "particles", text: "particles", title: "Boxes, and particles.star for RELION and cryoSPARC" },
            { value: "micrographs", text: "micrographs" },
          ]}
        />
        <Segments
          label="Of which movies"
          value={which.value}
          onChange={(value) => {
            which.value = value;
          }}
          choices={[
            { value: "all", text: "all processed" },
            { value: "marked", text: `${markedCount.value} marked`, title: "Mark them among the movies or in a plot" },
          ]}
        />
        <Button
          operates
          kind="primary"
          disabled={problems.size > 0 || (which.value === "marked" && markedCount.value === 0)}
          onClick={() => void start()}
        >
          Start
        </Button>
      </div>
      <SettingChanges changed={changedFrom(settings.value, changes)} />
      <details>
        <summary>Settings of this job alone</summary>
        <div class="setting-grid">
          {fields.map((field) => {
            const current = settingIn(settings.value, field.name);
            return (
              <SettingControl
                key={field.name}
                field={field}
                text={texts.value.get(field.name) ?? textOf(current)}
                current={current}
                problem={problems.get(field.name) ?? refused.value.get(field.name)}
                onText={(text) => {
                  texts.value = new Map([...texts.peek(), [field.name, text]]);
                  refused.value = new Map();
                }}
              />
            );
          })}
        </div>
      </details>
    </Panel>
  );
}

function markedNames(): string[] {
  return [...marked.peek()].map((id) => movies.nameOf(id)).filter((name) => name !== "");
}
