/** Shows what a change of the session's settings would do, and makes it on request. */
import { useEffect, useState } from "preact/hooks";
import { type Sections, type SettingsEffect, settingsApi } from "../../api/settings";
import { Button, Empty } from "../../parts/controls";
import { Dialog } from "../../parts/dialog";
import { effectWords } from "../../parts/effect_words";
import { stepSections } from "../../parts/step_sections";
import { notify } from "../../state/notices";
import { operator } from "../../state/preferences";
import { act, useLoaded } from "./movie_state";

export function ApplyDialog({ patch, onClose }: { patch: Sections; onClose: () => void }) {
  const [effect, setEffect] = useState<SettingsEffect | null>(null);
  const schema = useLoaded(settingsApi.schema, "settings", 0).value;
  const steps = schema === null ? [] : stepSections(schema).map(({ name }) => name);
  const [sending, setSending] = useState(false);
  useEffect(() => {
    void act(settingsApi.preview(patch).then(setEffect), () => undefined);
  }, []);
  const apply = () => {
    setSending(true);
    const told = () => notify(`The session goes by ${assignments(patch).join(", ")}.`);
    void act(settingsApi.change(patch, operator.peek()), told).then(onClose);
  };
  return (
    <Dialog
      title="Change the session's settings"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Leave as it is</Button>
          <Button kind="primary" onClick={apply} disabled={effect === null || sending}>
            Apply
          </Button>
        </>
      }
    >
      <ul class="plain settings-list">
        {assignments(patch).map((text) => (
          <li key={text}>
            <code>{text}</code>
          </li>
        ))}
      </ul>
      {effect === null ? <Empty>Counting what this changes.</Empty> : <p>{effectWords(effect, steps)}.</p>}
    </Dialog>
  );
}

/** Settings as files and the command line write them: `picking.threshold = 0.62`. */
export function assignments(patch: Sections): string[] {
  return Object.entries(patch).flatMap(([section, values]) =>
    Object.entries(values).map(([name, value]) => `${section}.${name} = ${JSON.stringify(value)}`),
  );
}
