import { expect, it } from "vitest";
import type { MovieDetails } from "../src/api/types";
import { type Field, sectionsOf } from "../src/parts/setting_fields";
import { placeFacts, processedValues, sourceWords } from "../src/views/movie/processed_with";

const SPACE = "\u202f";

const FIELDS: Field[] = sectionsOf({
  properties: { import: { $ref: "#/$defs/ImportSettings" }, ctf: { $ref: "#/$defs/CtfSettings" } },
  $defs: {
    ImportSettings: {
      properties: {
        pixel_size: { type: "number", unit: "Å", description: "size of a raw pixel" },
        dose_per_frame: { type: "number", unit: "e⁻/Å²" },
      },
    },
    CtfSettings: { properties: { voltage: { type: "number", unit: "kV" } } },
  },
}).flatMap(({ fields }) => fields);

it("tells each value with its unit, in as many digits as it has, who told it, and what contradicts it", () => {
  const conflict = "ctf.voltage is 300 kV, and the metadata says 200 kV";
  const values = processedValues(
    [
      { name: "import.pixel_size", value: null, source: "", conflict: "" },
      { name: "import.dose_per_frame", value: 1.025, source: "metadata: m1.xml", conflict: "" },
      { name: "ctf.voltage", value: 300, source: "setting", conflict },
    ],
    FIELDS,
  );
  expect(values.map(({ label, text, source }) => [label, text, source])).toEqual([
    ["pixel size", "–", "nobody tells it"],
    ["dose per frame", `1.025${SPACE}e⁻/Å²`, "from metadata m1.xml"],
    ["voltage", `300${SPACE}kV`, "set"],
  ]);
  expect(values.map((value) => value.conflict)).toEqual(["", "", conflict]);
  expect(values[0]?.description).toBe("size of a raw pixel");
});

it("tells nothing before it knows the settings", () => {
  expect(processedValues([{ name: "ctf.voltage", value: 300, source: "setting", conflict: "" }], [])).toEqual([]);
});

it.each([
  ["setting", "set"],
  ["metadata: Images-Disc1/a: b.xml", "from metadata Images-Disc1/a: b.xml"],
  ["header", "from the header"],
  ["assumed", "assumed"],
  ["", "nobody tells it"],
])("tells the source %j in words", (source, words) => {
  expect(sourceWords(source)).toBe(words);
});

it.each<[MovieDetails["acquisition"], [string, string][]]>([
  [{}, []],
  [
    { hole: "17", square: "4", area: "2", grid: "A" },
    [
      ["grid", "A"],
      ["square", "4"],
      ["hole", "17"],
      ["area", "2"],
    ],
  ],
  [{ shot: "0" }, [["shot", "0"]]],
])("tells the optics group and the place that %j names", (acquisition, told) => {
  expect(placeFacts({ opticsGroup: 3, acquisition })).toEqual([["optics group", "3"], ...told]);
});
