/** The filters of the list: chips for those that hold, and a dialog to add one on any column. */
import type { TargetedEvent } from "preact";
import { useState } from "preact/hooks";
import type { ColumnInfo } from "../../api/types";
import { Button, Select } from "../../parts/controls";
import { Dialog } from "../../parts/dialog";
import { columnWords } from "../../parts/state_words";
import { columnChoice, isMoment, unitText } from "../../parts/values";
import { filterText, type MovieFilter } from "../../state/filters";
import { listFilters } from "../../state/movie_list";
import { movies } from "../../state/movies";
import { setQuery } from "../../state/route";
import { columnByName, columnInfos } from "../../state/session";
import { wantColumns } from "../../state/wanted_columns";
import { filterFrom, filterWords } from "./filter_words";

function setFilters(filters: readonly MovieFilter[]): void {
  setQuery({ filter: filters.map(filterText) });
}

export function FilterControls() {
  const [open, setOpen] = useState(false);
  const filters = listFilters.value;
  return (
    <>
      <Button onClick={() => setOpen(true)} title="Show only some movies">
        Filter…
      </Button>
      {filters.map((filter, place) => {
        const words = filterWords(filter, columnByName.value.get(filter.column));
        return (
          <span key={filterText(filter)} class="chip">
            {words}
            <Button kind="quiet" label={`Take out: ${words}`} onClick={() => setFilters(filters.toSpliced(place, 1))}>
              ✕
            </Button>
          </span>
        );
      })}
      {open && (
        <FilterDialog
          onClose={() => setOpen(false)}
          onAdd={(filter) => {
            setFilters([...filters.filter(({ column }) => column !== filter.column), filter]);
            setOpen(false);
          }}
        />
      )}
    </>
  );
}

function FilterDialog({ onClose, onAdd }: { onClose: () => void; onAdd: (filter: MovieFilter) => void }) {
  const columns = columnInfos.value.filter(({ name }) => name !== "generation" && name !== "id");
  const [name, setName] = useState("name");
  const [entry, setEntry] = useState<Record<string, string>>({});
  const column = columns.find((one) => one.name === name);
  const filter = column === undefined ? null : filterFrom(column, entry);
  const choose = (next: string) => {
    wantColumns([next]);
    setName(next);
    setEntry({});
  };
  return (
    <Dialog
      title="Show only movies with"
      onClose={onClose}
      actions={
        <Button kind="primary" disabled={filter === null} onClick={() => filter && onAdd(filter)}>
          Show
        </Button>
      }
    >
      <div class="filter-entry">
        <Select label="Column" value={name} onChange={choose} choices={columns.map(columnChoice)} />
        {column && <Entry column={column} entry={entry} onChange={setEntry} />}
      </div>
      {column && <p class="empty">{column.description}</p>}
    </Dialog>
  );
}

interface EntryProps {
  column: ColumnInfo;
  entry: Record<string, string>;
  onChange: (entry: Record<string, string>) => void;
}

function Entry({ column, entry, onChange }: EntryProps) {
  const put = (name: string) => (event: TargetedEvent<HTMLInputElement>) =>
    onChange({ ...entry, [name]: event.currentTarget.value });
  const tick = (name: string) => (event: TargetedEvent<HTMLInputElement>) =>
    onChange({ ...entry, [name]: event.currentTarget.checked ? "yes" : "" });
  const none = (
    <label class="field">
      <input type="checkbox" checked={entry.none === "yes"} onChange={tick("none")} />
      <span>without a value</span>
    </label>
  );
  if (column.kind === "text")
    return (
      <label class="field">
        <span>like</span>
        <input type="text" placeholder="*grid1*" value={entry.pattern ?? ""} onInput={put("pattern")} />
      </label>
    );
  if (column.kind === "word") {
    const stored = movies.columns.get(column.name);
    return (
      <>
        {(stored?.kind === "word" ? stored.words : []).map((word) => (
          <label key={word} class="field">
            <input type="checkbox" checked={entry[`word ${word}`] === "yes"} onChange={tick(`word ${word}`)} />
            <span>{columnWords(word, column.name)}</span>
          </label>
        ))}
        {none}
      </>
    );
  }
  const field = isMoment(column)
    ? ({ type: "datetime-local", step: 1 } as const)
    : ({ type: "number", step: "any" } as const);
  return (
    <>
      <label class="field">
        <span>from</span>
        <input {...field} value={entry.low ?? ""} onInput={put("low")} />
      </label>
      <label class="field">
        <span>to</span>
        <input {...field} value={entry.high ?? ""} onInput={put("high")} />
        <span>{unitText(column)}</span>
      </label>
      {none}
    </>
  );
}
