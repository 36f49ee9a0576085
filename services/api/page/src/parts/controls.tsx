/** Buttons, choices and what stands around them. Each has a name for screen readers and is reached by keyboard. */
import type { ComponentChildren, TargetedEvent } from "preact";
import { offReason } from "../state/access";
import { stateWords } from "./state_words";

export interface ButtonProps {
  children: ComponentChildren;
  /** None where the button submits its form. */
  onClick?: () => void;
  submit?: boolean;
  /** Tooltip; say the key here too: "Exclude (x)". */
  title?: string;
  kind?: "plain" | "primary" | "danger" | "quiet";
  disabled?: boolean;
  pressed?: boolean;
  /** Name for screen readers where the content is a sign. */
  label?: string;
  /** It changes the session: off for who may only look on, with the reason as its tooltip. */
  operates?: boolean;
}

export function Button(props: ButtonProps) {
  const { children, onClick, submit, title, kind = "plain", disabled, pressed, label, operates } = props;
  const off = operates ? offReason.value : "";
  return (
    <button
      type={submit ? "submit" : "button"}
      class={`button ${kind}`}
      onClick={onClick}
      title={off || title}
      disabled={disabled || off !== ""}
      aria-pressed={pressed}
      aria-label={label}
    >
      {children}
    </button>
  );
}

export interface Choice<T extends string> {
  value: T;
  text: string;
  title?: string;
  /** As of a button. */
  operates?: boolean;
}

export interface ChoiceProps<T extends string> {
  label: string;
  choices: readonly Choice<T>[];
  value: T;
  onChange: (value: T) => void;
  /** As of a button. */
  operates?: boolean;
}

/** One of a few: a row of buttons. */
export function Segments<T extends string>({ label, choices, value, onChange, operates }: ChoiceProps<T>) {
  const off = (choice: Choice<T>) => (operates || choice.operates ? offReason.value : "");
  return (
    <div class="segments" role="group" aria-label={label}>
      {choices.map((choice) => (
        <button
          key={choice.value}
          type="button"
          title={off(choice) || choice.title}
          disabled={off(choice) !== ""}
          aria-pressed={choice.value === value}
          onClick={() => onChange(choice.value)}
        >
          {choice.text}
        </button>
      ))}
    </div>
  );
}

/** One of many: the browser's own list, with its label in front. */
export function Select<T extends string>({ label, choices, value, onChange, operates }: ChoiceProps<T>) {
  const off = operates ? offReason.value : "";
  const change = (event: TargetedEvent<HTMLSelectElement>) => onChange(event.currentTarget.value as T);
  return (
    <label class="field" title={off || undefined}>
      <span>{label}</span>
      <select value={value} onChange={change} disabled={off !== ""}>
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.text}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A row of controls above a view; `end` stands at its right. */
export function Toolbar({
  label,
  children,
  end,
}: {
  label: string;
  children?: ComponentChildren;
  end?: ComponentChildren;
}) {
  return (
    <div class="toolbar" role="toolbar" aria-label={label}>
      {children}
      {end !== undefined && <div class="toolbar-end">{end}</div>}
    </div>
  );
}

/** A titled part of a view. `wide` takes the row's whole width. */
export function Panel({
  title,
  children,
  actions,
  wide,
}: {
  title: string;
  children: ComponentChildren;
  actions?: ComponentChildren;
  wide?: boolean;
}) {
  return (
    <section class={wide ? "panel wide" : "panel"} aria-label={title}>
      <header>
        <h2>{title}</h2>
        {actions}
      </header>
      {children}
    </section>
  );
}

/** What stands where there is nothing to show, and what would change that. */
export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** A bar from 0 to 1. */
export function Progress({ value, label }: { value: number; label: string }) {
  return <progress value={value} max={1} aria-label={label} />;
}

/** A status or state as a word with a sign of its own shape and colour. */
export function Badge({ word, text = stateWords(word) }: { word: string; text?: string }) {
  return <span class={`badge ${word}`}>{text}</span>;
}

/** The headings of a table: those of words, then those of numbers. */
export function TableHead({ words, numbers = [] }: { words: readonly string[]; numbers?: readonly string[] }) {
  return (
    <thead>
      <tr>
        {words.map((heading, place) => (
          <th key={place} scope="col">
            {heading}
          </th>
        ))}
        {numbers.map((heading, place) => (
          <th key={place} scope="col" class="number">
            {heading}
          </th>
        ))}
      </tr>
    </thead>
  );
}

/** Names with their values: each `[name, value]`. */
export function Facts({ facts }: { facts: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value], place) => (
        <div key={place}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
