/** Shows what a change of the session's settings would do, and makes it on request. */
import { useEffect, useState } from "preact/hooks";
import { movieApi, type SettingsEffect, type SettingsPatch } from "../../api/movie";
import { Button, Empty } from "../../parts/controls";
import { Dialog } from "../../parts/dialog";
import { notify } from "../../state/notices";
import { effectWords } from "./effect_words";
import { act } from "./movie_state";

export function ApplyDialog({ patch, onClose }: { patch: SettingsPatch; onClose: (applied: boolean) => void }) {
  const [effect, setEffect] = useState<SettingsEffect | null>(null);
  const [sending, setSending] = useState(false);
  useEffect(() => {
    void act(movieApi.previewSettings(patch).then(setEffect), () => undefined);
  }, []);
  const apply = () => {
    setSending(true);
    let applied = false;
    const told = () => {
      applied = true;
      notify(`The session goes by ${assignments(patch).join(", ")}.`);
    };
    void act(movieApi.patchSettings(patch), told).then(() => onClose(applied));
  };
  return (
    <Dialog
      title="Change the session's settings"
      onClose={() => onClose(false)}
      actions={
        <>
          <Button onClick={() => onClose(false)}>Leave as it is</Button>
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
      {effect === null ? (
        <Empty>Counting what this changes.</Empty>
      ) : (
        effectWords(effect).map((text) => <p key={text}>{text}</p>)
      )}
    </Dialog>
  );
}

/** Settings as files and the command line write them: `picking.threshold = 0.62`. */
export function assignments(patch: SettingsPatch): string[] {
  return Object.entries(patch).flatMap(([section, values]) =>
    Object.entries(values).map(([name, value]) => `${section}.${name} = ${JSON.stringify(value)}`),
  );
}
