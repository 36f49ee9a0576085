/** What a movie is processed with and who told it, its optics group, and where it was recorded. */
import type { MovieDetails } from "../../api/types";
import { Facts, Panel } from "../../parts/controls";
import { sections } from "../../state/settings";
import { placeFacts, processedValues } from "./processed_with";

export function ProcessedWithPanel({ movie }: { movie: MovieDetails }) {
  const fields = sections.value.flatMap((section) => section.fields);
  return (
    <Panel title="Processed with">
      <table class="values">
        <tbody>
          {processedValues(movie.resolved, fields).map(({ name, label, description, text, source, conflict }) => (
            <tr key={name} title={`${name}: ${description}`}>
              <th scope="row">{label}</th>
              <td class="number">{text}</td>
              <td class="told">
                {source}
                {conflict && <strong class="bad">contradiction: {conflict}</strong>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <Facts facts={placeFacts(movie)} />
    </Panel>
  );
}
