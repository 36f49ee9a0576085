import { expect, it } from "vitest";
import { nameFilter } from "../src/api/movie";
import type { ColumnInfo } from "../src/api/types";
import { byStep } from "../src/views/movie/column_groups";

function column(name: string, step: string): ColumnInfo {
  const rest = { heading: name, description: "", unit: "", digits: 0, kind: "number", main: true, limits: [] };
  return { name, step, failed: false, ...rest };
}

it("groups columns by step, and leaves out what stands elsewhere", () => {
  const columns = [column("name", ""), column("worker", ""), column("ctf.a", "ctf"), column("motion.b", "motion")];
  const groups = byStep([...columns, column("ctf.c", "ctf")]);
  expect(groups.map(([step, group]) => [step, group.map(({ name }) => name)])).toEqual([
    ["movie", ["worker"]],
    ["ctf", ["ctf.a", "ctf.c"]],
    ["motion", ["motion.b"]],
  ]);
});

it("asks for a movie by name although it has wildcards in it", () => {
  expect(nameFilter("grid[1]/a*?")).toBe("name:grid[[]1]/a[*][?]");
});
