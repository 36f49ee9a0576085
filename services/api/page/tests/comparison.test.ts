import { expect, it } from "vitest";
import type { ColumnInfo } from "../src/api/types";
import { compared } from "../src/views/movie/comparison";

const column = (name: string, digits: number): ColumnInfo => ({
  name,
  heading: name,
  description: "",
  unit: "",
  digits,
  step: name.split(".")[0]!,
  kind: "number",
  main: true,
  limits: [],
  failed: false,
});

it("puts what differs first, and leaves out what neither result has", () => {
  const columns = [
    column("ctf.defocusUm", 2),
    column("ctf.resolutionAngstrom", 1),
    column("picking.count", 0),
    column("run.waitS", 1),
  ];
  const now = { ctf: { defocusUm: 1.501, resolutionAngstrom: 4.2 }, run: { waitS: 3 } };
  const rows = compared(columns, now, { ctf: { defocusUm: 1.504, resolutionAngstrom: 3.9 } });
  expect(rows.map(({ column: { name }, difference }) => [name, difference])).toEqual([
    ["ctf.resolutionAngstrom", expect.closeTo(-0.3)],
    ["ctf.defocusUm", 0],
  ]);
});

it("has no difference where one result lacks the value", () => {
  const [row] = compared([column("picking.count", 0)], { picking: { count: 12 } }, {});
  expect(row).toMatchObject({ now: 12, tried: NaN, difference: NaN });
});
