import { expect, it } from "vitest";
import { itemPath } from "../src/api/client";

it.each([
  ["grid1/a b", "", "/api/items/grid1/a%20b"],
  ["a#%?/x", "curves", "/api/items/a%23%25%3F/x/curves"],
  ["summary", "", "/api/items/~/summary"],
  ["timestamp", "picks/hand", "/api/items/~/timestamp/picks/hand"],
  ["grid1/summary", "", "/api/items/grid1/summary"],
])("asks for the movie %j and its %j where REST has them", (name, part, path) => {
  expect(itemPath(name, part)).toBe(path);
});
