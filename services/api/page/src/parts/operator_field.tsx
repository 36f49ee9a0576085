/** Asks for the operator's name, with which the page signs what it changes. */
import { operator } from "../state/preferences";

export function OperatorField() {
  return (
    <label class="field operator" title="Stands in the history of settings">
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
