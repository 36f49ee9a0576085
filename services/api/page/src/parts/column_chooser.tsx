/** Which columns a view shows: a button with a dialog of boxes to tick, by the step that measures them. */
import { useState } from "preact/hooks";
import type { ColumnInfo } from "../api/types";
import { Button } from "./controls";
import { Dialog } from "./dialog";
import { unitText } from "./values";

interface Props {
  /** All columns that can be chosen. */
  columns: readonly ColumnInfo[];
  chosen: readonly ColumnInfo[];
  onChange: (names: readonly string[]) => void;
  /** Show the usual columns again. */
  onUsual: () => void;
}

export function ColumnChooser(props: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)} title="Which columns are shown">
        Columns…
      </Button>
      {open && <ColumnDialog {...props} onClose={() => setOpen(false)} />}
    </>
  );
}

function ColumnDialog({ columns, chosen, onChange, onUsual, onClose }: Props & { onClose: () => void }) {
  const names = new Set(chosen.map(({ name }) => name));
  const steps = [...new Set(columns.map(({ step }) => step))];
  const toggle = (name: string) => {
    const next = new Set(names);
    if (!next.delete(name)) next.add(name);
    onChange(columns.filter((one) => next.has(one.name)).map((one) => one.name));
  };
  return (
    <Dialog title="Columns" onClose={onClose} actions={<Button onClick={onUsual}>The usual ones</Button>}>
      {steps.map((step) => (
        <fieldset key={step} class="column-choice">
          <legend>{step || "movie"}</legend>
          {columns
            .filter((one) => one.step === step)
            .map((one) => (
              <label key={one.name} title={one.description}>
                <input type="checkbox" checked={names.has(one.name)} onChange={() => toggle(one.name)} />
                <span>
                  {one.heading} <small>{unitText(one)}</small>
                </span>
              </label>
            ))}
        </fieldset>
      ))}
    </Dialog>
  );
}
