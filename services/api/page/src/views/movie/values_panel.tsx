/** Every measured value of a movie with its unit, by step. */
import { movieApi, type Values } from "../../api/movie";
import type { ColumnInfo, Movie } from "../../api/types";
import { Empty, Panel } from "../../parts/controls";
import { columnText, readDigits } from "../../parts/values";
import { columnInfos } from "../../state/session";
import { byStep } from "./column_groups";
import { useLoaded } from "./movie_state";

export function ValuesPanel({ movie: { name }, version }: { movie: Movie; version: number }) {
  const groups = byStep(columnInfos.value);
  const columns = groups.flatMap(([, group]) => group.map((column) => column.name));
  const values = useLoaded(
    (signal) => (columns.length > 0 ? movieApi.values(name, columns, signal) : Promise.resolve(null)),
    name,
    `${version} ${columns.length}`,
  ).value;
  const measured = ([, group]: [string, ColumnInfo[]]) => group.some(({ name }) => values?.[name] != null);
  return (
    <Panel title="Values">
      {values === null ? (
        <Empty>Loading.</Empty>
      ) : (
        <div class="value-groups">
          {groups.filter(measured).map(([step, group]) => (
            <table key={step} class="values">
              <caption>{step}</caption>
              <tbody>
                {group.map((column) => (
                  <tr key={column.name} title={column.description}>
                    <th scope="row">{column.heading}</th>
                    <td class="number">{valueText(values, column)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          ))}
        </div>
      )}
    </Panel>
  );
}

function valueText(values: Values, column: ColumnInfo): string {
  const value = values[column.name];
  return typeof value === "string" ? value : columnText(value ?? NaN, column, readDigits(column));
}
