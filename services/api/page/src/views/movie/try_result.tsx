/** What a try has measured and made, beside the movie's present result. */
import { useState } from "preact/hooks";
import { movieApi, type Try, tryPictureUrl } from "../../api/movie";
import type { Movie } from "../../api/types";
import { Segments, TableHead } from "../../parts/controls";
import { formatNumber } from "../../parts/format";
import { Picture, PictureBox } from "../../parts/picture";
import { columnText } from "../../parts/values";
import { columnInfos } from "../../state/session";
import { compared } from "./comparison";
import { CtfCurves } from "./ctf_curves";
import { hasResults, useLoaded } from "./movie_state";

const KINDS = ["average", "spectrum", "motion", "picks"] as const;
type Kind = (typeof KINDS)[number];
const SIZE_PX = 768;

export function TryResult({ tried, movie, generation }: { tried: Try; movie: Movie; generation: number | undefined }) {
  const [kind, setKind] = useState<Kind>("spectrum");
  const curves = useLoaded(
    (signal) => movieApi.curves(movie.name, signal),
    movie.name,
    `${generation}`,
    hasResults(movie, "ctf"),
  ).value;
  const triedCurves = useLoaded((signal) => movieApi.tryCurves(tried.id, signal), tried.id, 0).value;
  const sized = kind === "average" ? { size: SIZE_PX } : {};
  return (
    <div class="try-result">
      <div>
        <Segments<Kind>
          label="Picture"
          value={kind}
          onChange={setKind}
          choices={KINDS.map((one) => ({ value: one, text: one }))}
        />
        <div class="side-by-side">
          <figure>
            <Picture
              name={movie.name}
              kind={kind}
              generation={generation}
              query={sized}
              alt={`${kind} of the present result`}
            />
            {kind === "spectrum" && curves !== null && <CtfCurves curves={curves} />}
            <figcaption>now</figcaption>
          </figure>
          <figure>
            <PictureBox url={tryPictureUrl(tried, kind, sized)} alt={`${kind} of the try`} missing={`No ${kind}`} />
            {kind === "spectrum" && triedCurves !== null && <CtfCurves curves={triedCurves} />}
            <figcaption>tried</figcaption>
          </figure>
        </div>
      </div>
      <table class="values">
        <TableHead words={["value"]} numbers={["now", "tried", "difference"]} />
        <tbody>
          {compared(columnInfos.value, movie.results, tried.results).map(
            ({ column, now, tried: after, difference }) => (
              <tr key={column.name} class={difference === 0 ? "same" : "differs"} title={column.description}>
                <th scope="row">{column.heading}</th>
                <td class="number">{columnText(now, column)}</td>
                <td class="number">{columnText(after, column)}</td>
                <td class="number">
                  {difference > 0 ? "+" : ""}
                  {formatNumber(difference, column.digits)}
                </td>
              </tr>
            ),
          )}
        </tbody>
      </table>
      {tried.filterReasons.length > 0 && (
        <p class="hint">The filter would take it out: {tried.filterReasons.join("; ")}</p>
      )}
    </div>
  );
}
