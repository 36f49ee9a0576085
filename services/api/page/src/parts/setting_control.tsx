/** One setting of the form: its name, its control with unit, and what it means. */
import type { TargetedEvent } from "preact";
import { type Field, same, textOf, valueWords } from "./setting_fields";

export interface SettingControlProps {
  field: Field;
  /** As edited; see `current` for what is in force. */
  text: string;
  current: unknown;
  problem: string | undefined;
  onText: (text: string) => void;
}

export function SettingControl({ field, text, current, problem, onText }: SettingControlProps) {
  const edited = text !== textOf(current);
  const differs = field.initial !== undefined && !same(current, field.initial);
  const id = `setting-${field.name}`;
  const state = [edited && "edited", differs && "differs", problem && "wrong"].filter(Boolean).join(" ");
  return (
    <div class={`setting ${state}`}>
      <label for={id} title={field.name}>
        {field.label}
      </label>
      <div class="setting-value">
        <Control field={field} text={text} id={id} wrong={problem !== undefined} set={onText} />
        {field.unit && <span class="unit">{field.unit}</span>}
        {edited && (
          <button
            type="button"
            class="button quiet"
            title={`Back to: ${valueWords(current, field.unset)}`}
            aria-label={`Undo the edit of ${field.name}`}
            onClick={() => onText(textOf(current))}
          >
            ↶
          </button>
        )}
      </div>
      <p id={`${id}-help`}>
        <Help text={field.description} />
        {field.range && <span class="range"> · {field.range}</span>}
        {(differs || edited) && field.initial !== undefined && (
          <>
            {" · "}
            <button
              type="button"
              class="default"
              title={`Set ${field.name} to its default`}
              onClick={() => onText(textOf(field.initial))}
            >
              default {valueWords(field.initial, field.unset)}
            </button>
          </>
        )}
        {problem && (
          <strong class="bad" role="alert">
            {problem}
          </strong>
        )}
      </p>
    </div>
  );
}

/** A description, with what stands between backticks as code. */
function Help({ text }: { text: string }) {
  return <>{text.split("`").map((part, place) => (place % 2 ? <code key={place}>{part}</code> : part))}</>;
}

interface ControlProps {
  field: Field;
  text: string;
  id: string;
  wrong: boolean;
  set: (text: string) => void;
}

function Control({ field, text, id, wrong, set }: ControlProps) {
  const shared = { id, "aria-describedby": `${id}-help`, "aria-invalid": wrong };
  if (field.kind === "switch") {
    const toggle = (event: TargetedEvent<HTMLInputElement>) => set(String(event.currentTarget.checked));
    return <input {...shared} type="checkbox" checked={text === "true"} onChange={toggle} />;
  }
  if (field.kind === "choice") {
    return (
      <select {...shared} value={text} onChange={(event) => set(event.currentTarget.value)}>
        {field.choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    );
  }
  if (field.kind === "choices") return <Checks field={field} text={text} id={id} set={set} />;
  const numeric = field.kind === "number" || field.kind === "integer";
  return (
    <input
      {...shared}
      class={numeric ? "number" : "long"}
      inputMode={numeric ? "decimal" : undefined}
      value={text}
      placeholder={field.optional ? field.unset : undefined}
      autocomplete="off"
      spellcheck={false}
      onInput={(event) => set(event.currentTarget.value)}
    />
  );
}

/** Several of a few: the list keeps the order of the choices. */
function Checks({ field, text, id, set }: { field: Field; text: string; id: string; set: (text: string) => void }) {
  const chosen = text.split(",").map((one) => one.trim());
  const toggle = (choice: string, on: boolean) =>
    set(field.choices.filter((one) => (one === choice ? on : chosen.includes(one))).join(", "));
  return (
    <div class="checks" role="group" aria-label={field.label} id={id}>
      {field.choices.map((choice) => (
        <label key={choice}>
          <input
            type="checkbox"
            checked={chosen.includes(choice)}
            onChange={(event) => toggle(choice, event.currentTarget.checked)}
          />
          {choice}
        </label>
      ))}
    </div>
  );
}
