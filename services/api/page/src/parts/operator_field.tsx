/** Asks for the operator's name, with which the page signs what it changes. */
import { operator } from "../state/preferences";

export function OperatorField() {
  return (
    <label class="field operator" title="Stands beside what you change, for others to see">
      <span>by</span>
      <input
        value={operator.value}
        maxLength={100}
        placeholder="your name"
        onInput={(event) => {
          operator.value = event.currentTarget.value;
        }}
      />
    </label>
  );
}
