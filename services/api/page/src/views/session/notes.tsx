/** What the session tells and what is no alarm: which averages are not taken, what is assumed, what waits. */
import { Panel } from "../../parts/controls";

export function Notes({ notes }: { notes: readonly string[] }) {
  if (notes.length === 0) return null;
  return (
    <Panel title="Notes">
      <ul class="plain">
        {notes.map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
    </Panel>
  );
}
