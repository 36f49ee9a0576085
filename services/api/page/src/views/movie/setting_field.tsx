/** One setting in a form. */
import type { TargetedEvent } from "preact";
import type { Field } from "./setting_fields";

export function SettingField({
  field: { section, name, kind, choices, unit, description },
  text,
  changed,
  onChange,
}: {
  field: Field;
  text: string;
  changed: boolean;
  onChange: (text: string) => void;
}) {
  const id = `try-${section}-${name}`;
  const input = (event: TargetedEvent<HTMLInputElement | HTMLSelectElement>) => onChange(event.currentTarget.value);
  const words = kind === "switch" ? ["true", "false"] : choices;
  return (
    <div class={changed ? "setting changed" : "setting"} title={description}>
      <label for={id}>
        {name.replaceAll("_", " ")}
        {unit && <small> {unit}</small>}
      </label>
      {kind === "choice" || kind === "switch" ? (
        <select id={id} value={text} onChange={input}>
          {words.map((word) => (
            <option key={word} value={word}>
              {kind === "switch" ? (word === "true" ? "on" : "off") : word}
            </option>
          ))}
        </select>
      ) : (
        <input id={id} value={text} placeholder="automatic" onInput={input} autocomplete="off" spellcheck={false} />
      )}
    </div>
  );
}
