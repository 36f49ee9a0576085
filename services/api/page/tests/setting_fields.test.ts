import { describe, expect, it } from "vitest";
import type { SettingsSchema } from "../src/api/movie";
import { changesOf, fieldsOf, parsed, textOf } from "../src/views/movie/setting_fields";

const SCHEMA: SettingsSchema = {
  properties: { ctf: { $ref: "#/$defs/CtfSettings" } },
  $defs: {
    CtfSettings: {
      properties: {
        enabled: { type: "boolean" },
        range_max: { type: "number", unit: "Å", description: "finest ring used" },
        grid: { anyOf: [{ type: "array" }, { type: "null" }] },
        source: { type: "string", enum: ["frames", "sum"] },
        defocus: { anyOf: [{ type: "number" }, { type: "null" }] },
      },
    },
  },
};
const FIELDS = fieldsOf(SCHEMA, "ctf");
const PRESENT = { ctf: { enabled: true, range_max: 4, grid: null, source: "frames", defocus: 1.5 } };

it("makes a field of each setting", () => {
  expect(FIELDS.map(({ name, kind, optional }) => [name, kind, optional])).toEqual([
    ["enabled", "switch", false],
    ["range_max", "number", false],
    ["grid", "json", true],
    ["source", "choice", false],
    ["defocus", "number", true],
  ]);
  expect(FIELDS[1]!.unit).toBe("Å");
  expect(FIELDS[3]!.choices).toEqual(["frames", "sum"]);
  expect(fieldsOf(SCHEMA, "nothing")).toEqual([]);
});

describe("changes", () => {
  const changes = (...texts: [string, string][]) =>
    changesOf(FIELDS, new Map(texts.map(([name, text]) => [`ctf.${name}`, text])), PRESENT);

  it("are those that differ from the session's", () => {
    expect(changes(["range_max", "3.5"], ["enabled", "false"], ["source", "frames"])).toEqual({
      ctf: { range_max: 3.5, enabled: false },
    });
    expect(changes(["grid", "[5, 5]"], ["defocus", ""])).toEqual({ ctf: { grid: [5, 5], defocus: null } });
    expect(changes(["range_max", " 4 "], ["grid", ""])).toEqual({});
  });

  it("say what is wrong with a text", () => {
    expect(() => changes(["range_max", "fine"])).toThrow("range_max: give a number");
    expect(() => changes(["range_max", ""])).toThrow("range_max: give a number");
    expect(() => changes(["grid", "5 x 5"])).toThrow("grid: give a list");
  });
});

it.each(FIELDS.map((field) => [field.name, field] as const))("reads %s as it is written", (name, field) => {
  const value = PRESENT.ctf[name as keyof typeof PRESENT.ctf];
  expect(parsed(textOf(value), field)).toEqual(value);
});
