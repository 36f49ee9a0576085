/** Who changed which settings when; each change can be set back. */
import { Button, Empty, Panel } from "../../parts/controls";
import { formatTime } from "../../parts/format";
import { SettingChanges } from "../../parts/setting_changes";
import { textOf } from "../../parts/setting_fields";
import { edit, history } from "./draft";

export function History() {
  return (
    <Panel title="History">
      {history.value.length === 0 && <Empty>No setting has been changed yet.</Empty>}
      <ol class="history">
        {history.value.map(({ revision, at, by, changed }) => (
          <li key={revision}>
            <header>
              <time dateTime={at}>{formatTime(at)}</time> {by}
              {Object.keys(changed).length > 0 && (
                <Button
                  kind="quiet"
                  title="Put the old values into the form; nothing changes before Apply"
                  label={`Set revision ${revision} back`}
                  onClick={() => edit(Object.entries(changed).map(([name, [old]]) => [name, textOf(old)]))}
                >
                  ↶
                </Button>
              )}
            </header>
            <SettingChanges changed={changed} />
            {Object.keys(changed).length === 0 && <div>A file that a setting names is another one now.</div>}
          </li>
        ))}
      </ol>
    </Panel>
  );
}
