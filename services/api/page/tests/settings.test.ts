import { expect, it } from "vitest";
import type { SettingsEffect } from "../src/api/settings";
import { effectWords } from "../src/parts/effect_words";
import {
  assignments,
  changedFrom,
  changesOf,
  type Field,
  parse,
  rangeWords,
  sectionsOf,
  textOf,
  valueWords,
} from "../src/parts/setting_fields";

const [ctf] = sectionsOf({
  properties: { ctf: { $ref: "#/$defs/CtfSettings" } },
  $defs: {
    CtfSettings: {
      description: "CTF fit.",
      properties: {
        enabled: { type: "boolean", default: true },
        window: { type: "integer", default: 512, minimum: 128, maximum: 4096, multipleOf: 2, unit: "px" },
        range_max: { type: "number", default: 4, exclusiveMinimum: 0, maximum: 1000, unit: "Å" },
        voltage: {
          anyOf: [{ type: "number", minimum: 20, maximum: 2000 }, { type: "null" }],
          default: null,
          unit: "kV",
          unset: "from metadata",
        },
        grid: { anyOf: [{ type: "array", items: { type: "integer", minimum: 1 } }, { type: "null" }], default: null },
        method: { type: "string", enum: ["auto", "blob"], default: "auto" },
        upsampling: { type: "integer", enum: [1, 2, 4], default: 1 },
        shapes: { type: "array", items: { type: "string", enum: ["disc", "ring"] }, default: ["disc"] },
        patterns: { type: "array", items: { type: "string" }, default: ["*.tif"] },
        limits: {
          type: "object",
          default: {},
          description: "limits such as `[null, 2.5]`; null: no limit",
        },
      },
    },
  },
});

function field(key: string): Field {
  return ctf!.fields.find(({ name }) => name === `ctf.${key}`)!;
}

it("makes a field of each setting", () => {
  const kinds = ctf!.fields.map(({ kind }) => kind);
  expect(kinds).toEqual([
    "switch",
    "integer",
    "number",
    "number",
    "list",
    "choice",
    "choice",
    "choices",
    "list",
    "json",
  ]);
  expect(field("window")).toMatchObject({ label: "window", unit: "px", initial: 512, optional: false });
  expect(field("grid").optional).toBe(true);
});

it("says what an empty field stands for", () => {
  expect(field("voltage")).toMatchObject({ kind: "number", unit: "kV", optional: true, initial: null });
  expect(field("voltage").unset).toBe("from metadata");
  expect(field("grid").unset).toBe("none");
  expect(valueWords(null, field("voltage").unset)).toBe("from metadata");
  expect(valueWords(300, field("voltage").unset)).toBe("300");
});

it.each([
  [{ minimum: 128, maximum: 4096, multipleOf: 2 }, "128 to 4096, a multiple of 2"],
  [{ exclusiveMinimum: 0, maximum: 1000 }, "above 0 to 1000"],
  [{ minimum: 0 }, "from 0 on"],
  [{ maximum: 20 }, "up to 20"],
  [{}, ""],
])("tells a range in words: %j", (schema, words) => {
  expect(rangeWords(schema)).toBe(words);
});

it.each([
  ["enabled", "false", false],
  ["window", " 256 ", 256],
  ["range_max", "3.5", 3.5],
  ["voltage", "", null],
  ["voltage", "200", 200],
  ["grid", "", null],
  ["grid", "5, 7", [5, 7]],
  ["method", "blob", "blob"],
  ["upsampling", "4", 4],
  ["shapes", "disc, ring", ["disc", "ring"]],
  ["patterns", "*.tif, *.eer", ["*.tif", "*.eer"]],
  ["limits", '{"ctf.iceRing": [null, 2.5]}', { "ctf.iceRing": [null, 2.5] }],
])("reads %s from %j", (key, text, value) => {
  expect(parse(field(key), text)).toEqual({ value });
  expect(parse(field(key), textOf(value))).toEqual({ value });
});

it.each([
  ["window", "", "not a number"],
  ["window", "256.5", "not a whole number"],
  ["window", "129", "must be 128 to 4096, a multiple of 2"],
  ["range_max", "0", "must be above 0 to 1000"],
  ["voltage", "2", "must be 20 to 2000"],
  ["grid", "5, x", "not a number"],
  ["method", "guess", "one of auto, blob"],
  ["limits", "{", "not JSON"],
])("refuses %s with the text %j", (key, text, problem) => {
  expect(parse(field(key), text)).toEqual({ problem });
});

it("sends only what differs, and nothing that is wrong", () => {
  const texts = new Map([
    ["ctf.window", "512"],
    ["ctf.range_max", "5"],
    ["ctf.grid", "0"],
  ]);
  const { changes, problems } = changesOf(ctf!.fields, { ctf: { window: 512, range_max: 4, grid: null } }, texts);
  expect(changes).toEqual({ ctf: { range_max: 5 } });
  expect([...problems]).toEqual([["ctf.grid", "must be from 1 on"]]);
});

it("says none where files write null, but not in code", () => {
  expect(field("limits").description).toBe("limits such as `[null, 2.5]`; none: no limit");
});

it("tells which settings change, from what to what", () => {
  const changes = { ctf: { range_max: 5, grid: null, enabled: false } };
  expect(changedFrom({ ctf: { range_max: 5, grid: null } }, changes)).toEqual({ "ctf.enabled": [undefined, false] });
  expect(changedFrom({ ctf: { range_max: 4, grid: [5, 5] } }, changes)).toEqual({
    "ctf.range_max": [4, 5],
    "ctf.grid": [[5, 5], null],
    "ctf.enabled": [undefined, false],
  });
  expect(assignments(changes)).toEqual(["ctf.range_max = 5", "ctf.grid = none", "ctf.enabled = off"]);
});

const NOTHING: SettingsEffect = { changed: [], runs: {}, movies: 0, kept: 0, rejected: 0, accepted: 0, retried: 0 };

it.each([
  [
    { movies: 412, kept: 38, runs: { ctf: 412, picking: 412 } },
    "CTF and picking of 412 movies will run again, 38 kept results fit, motion stays",
  ],
  [
    { movies: 2, runs: { motion: 2, ctf: 2, picking: 1 } },
    "motion and CTF of 2 movies will run again, picking of 1 movie will run again",
  ],
  [{ rejected: 3, accepted: 1 }, "the filter takes out 3 movies, the filter lets 1 movie in again"],
  [{ retried: 1 }, "1 failed movie is tried again"],
  [{}, "No movie with results is touched"],
])("tells what a change does: %j", (effect, words) => {
  expect(effectWords({ ...NOTHING, ...effect }, ["motion", "ctf", "picking"])).toBe(words);
});
