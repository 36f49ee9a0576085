/** Which settings change, each with its old and its new value. */
import type { Revision } from "../api/settings";
import { valueWords } from "./setting_fields";

export function SettingChanges({ changed }: Pick<Revision, "changed">) {
  if (Object.keys(changed).length === 0) return null;
  return (
    <ul class="plain setting-changes">
      {Object.entries(changed).map(([name, [old, value]]) => (
        <li key={name}>
          <code>{name}</code> {valueWords(old)} → {valueWords(value)}
        </li>
      ))}
    </ul>
  );
}
