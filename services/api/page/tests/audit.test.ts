import { expect, it } from "vitest";
import type { AuditEntry } from "../src/api/audit";
import { whoWords, withNewest, withOlder } from "../src/views/audit/entries";

/** Entries from `first` down to `last`. */
function page(first: number, last: number, nextBefore: number | null, detail = "") {
  const entries = Array.from({ length: first - last + 1 }, (_, place) => ({ id: first - place, detail }) as AuditEntry);
  return { entries, nextBefore };
}

const ids = (listed: { entries: AuditEntry[] } | null) => listed?.entries.map(({ id }) => id);

it("lists newer entries above those that are listed, each once and as it is told now", () => {
  const listed = withNewest(page(5, 1, null, "before"), page(7, 4, 4, "now"));
  expect(ids(listed)).toEqual([7, 6, 5, 4, 3, 2, 1]);
  expect(listed.entries.map(({ detail }) => detail)).toEqual([
    "now",
    "now",
    "now",
    "now",
    "before",
    "before",
    "before",
  ]);
  expect(listed.nextBefore).toBeNull();
});

it("lists only the newest page where others may lie between", () => {
  expect(withNewest(page(5, 1, null), page(9, 6, 6))).toEqual(page(9, 6, 6));
  expect(withNewest(null, page(2, 1, null))).toEqual(page(2, 1, null));
  expect(ids(withNewest(page(2, 1, null), { entries: [], nextBefore: null }))).toEqual([]);
});

it("lists older entries below, unless the list begins anew meanwhile", () => {
  const listed = withOlder(page(9, 6, 6), 6, page(5, 3, 3));
  expect(ids(listed)).toEqual([9, 8, 7, 6, 5, 4, 3]);
  expect(listed?.nextBefore).toBe(3);
  expect(withOlder(page(99, 90, 90), 6, page(5, 3, 3))).toEqual(page(99, 90, 90));
});

it("says who is proven and who is only named", () => {
  expect(whoWords({ user: "ada", by: "", via: "api" })).toEqual({ name: "ada", proof: "" });
  expect(whoWords({ user: "ada", by: "Bob", via: "api" })).toEqual({ name: "ada", proof: "as Bob" });
  expect(whoWords({ user: "", by: "Bob", via: "api" })).toEqual({ name: "Bob", proof: "not proven" });
  expect(whoWords({ user: "", by: "", via: "cli" })).toEqual({ name: "nobody known", proof: "by cli" });
});
