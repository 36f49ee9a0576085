/** Squares and holes: a map of where movies were recorded, coloured by any column, and how the movies of each are. */
import { signal } from "@preact/signals";
import { address, getJson } from "../../api/client";
import type { Square, Squares } from "../../api/types";
import { Empty, Panel, Select, TableHead, Toolbar } from "../../parts/controls";
import { useFresh } from "../../parts/fresh";
import { PictureBox } from "../../parts/picture";
import { columnChoice } from "../../parts/values";
import { whereItAnswers } from "../../state/notices";
import { hrefOf, route, setQuery } from "../../state/route";
import { columnInfos } from "../../state/session";
import { throttled } from "../../state/sync";
import { COLUMNS, cellsOf, placesOf } from "./places";

const COLOUR = "ctf.resolutionAngstrom";
const PAUSE_MS = 2_000;

const squares = signal<Squares | null>(null);

const load = throttled(
  () =>
    whereItAnswers(async () => {
      squares.value = await getJson<Squares>("/api/squares");
    }),
  PAUSE_MS,
);

export function SquaresView() {
  useFresh(load, "movie.");
  const told = squares.value;
  if (told === null) return <Empty>Looking for squares.</Empty>;
  if (told.squares.length === 0) return <Empty>No movie has a square in its metadata.</Empty>;
  const { subject, query } = route.value;
  const colour = query.get("colour") ?? COLOUR;
  const shown = told.squares.find(({ square }) => square === subject);
  const url = address("/api/map.png", { colour, square: shown?.square, seq: told.seq });
  const what = shown ? `square ${shown.square}` : "all squares";
  return (
    <div class="squares">
      <Toolbar label="Map">
        <Select
          label="Colour"
          value={colour}
          choices={columnInfos.value.filter(({ kind }) => kind === "number" || kind === "word").map(columnChoice)}
          onChange={(name) => setQuery({ colour: name === COLOUR ? null : name })}
        />
        {shown && <a href={hrefOf("squares", "", query)}>all squares</a>}
      </Toolbar>
      <PictureBox url={url} alt={`Map of ${what} by ${colour}`} missing="No stage positions in the metadata" />
      <Panel title={shown ? `Holes of square ${shown.square}` : "Squares"}>
        <Table told={told} shown={shown} />
      </Panel>
    </div>
  );
}

function Table({ told, shown }: { told: Squares; shown: Square | undefined }) {
  return (
    <table class="values">
      <TableHead words={[shown ? "hole" : "square", "verdict"]} numbers={COLUMNS} />
      <tbody>
        {placesOf(told, shown).map(({ name, square, place }) => (
          <tr key={name}>
            <th scope="row">{square ? <a href={hrefOf("squares", square, route.value.query)}>{name}</a> : name}</th>
            <td class="long">{place.advice}</td>
            {cellsOf(place).map((cell, at) => (
              <td key={COLUMNS[at]} class="number">
                {cell}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
