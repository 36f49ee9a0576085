import { expect, it } from "vitest";
import { waitBefore } from "../src/api/events";
import { effective, keyLabel, keyName } from "../src/parts/keys";
import { columnWords, stateWords } from "../src/parts/state_words";
import { visibleWindow } from "../src/parts/virtual";
import { combined } from "../src/state/selection";

it("combines marked movies", () => {
  const before = new Set([1, 2]);
  expect([...combined(before, [3], "replace")]).toEqual([3]);
  expect([...combined(before, [2, 3], "add")]).toEqual([1, 2, 3]);
  expect([...combined(before, [2, 3], "remove")]).toEqual([1]);
  expect([...combined(before, [2, 3], "toggle")]).toEqual([1, 3]);
  expect([...before]).toEqual([1, 2]);
});

it("has one word for each status in all views, and leaves names as they are", () => {
  expect(stateWords("unprocessed")).toBe("waiting");
  expect(columnWords("unprocessed", "status")).toBe("waiting");
  expect(columnWords("include", "selection")).toBe("include");
  expect(columnWords("gpu_host/0", "run.worker")).toBe("gpu_host/0");
});

it("waits longer after each vain try, but never over three seconds", () => {
  const waits = Array.from({ length: 12 }, (_, tries) => waitBefore(tries));
  expect(waits[1]! / waits[0]!).toBe(2);
  expect(Math.max(...waits)).toBe(3_000);
});

it.each([
  [{ top: 0, perRow: 1 }, [0, 13]],
  [{ top: 5000, perRow: 1 }, [47, 63]],
  [{ top: 1e9, perRow: 1 }, [1000, 1000]],
  [{ top: 0, perRow: 3 }, [0, 39]],
])("draws only the rows in sight and a few beyond: %j", ({ top, perRow }, [first, end]) => {
  const drawn = visibleWindow(1000, perRow, 100, top, 1000);
  expect([drawn.first, drawn.end]).toEqual([first, end]);
  expect(drawn.total).toBe(Math.ceil(1000 / perRow) * 100);
});

it("names keys as bindings write them", () => {
  const none = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false };
  expect(keyName({ ...none, key: "z", metaKey: true })).toBe("ctrl+z");
  expect(keyName({ ...none, key: "Z", ctrlKey: true, shiftKey: true })).toBe("ctrl+shift+z");
  expect(keyName({ ...none, key: "z", metaKey: true, shiftKey: true })).toBe("ctrl+shift+z");
  expect(keyName({ ...none, key: "Z", ctrlKey: true })).toBe("ctrl+z");
  expect(keyName({ ...none, key: "+", ctrlKey: true, shiftKey: true })).toBe("ctrl++");
  expect(keyName({ ...none, key: "ArrowDown", shiftKey: true })).toBe("shift+ArrowDown");
  expect(keyName({ ...none, key: "?", shiftKey: true })).toBe("?");
});

it.each([
  ["e", "e"],
  ["?", "?"],
  ["+", "+"],
  [" ", "Space"],
  ["Z", "Shift+Z"],
  ["ctrl+z", "Ctrl+Z"],
  ["ctrl+shift+z", "Ctrl+Shift+Z"],
  ["shift+ArrowDown", "Shift+↓"],
])("labels %j as keyboards do: %s", (key, label) => expect(keyLabel(key)).toBe(label));

it("gives each key one meaning, that of the last who binds it", () => {
  const binding = (key: string, text: string) => ({ key, text, run: () => {} });
  const shell = [binding("1", "Session"), binding("ctrl+z", "Undo a choice")];
  const view = [binding("e", "Edit"), binding("ctrl+z", "Undo an edit")];
  expect(effective([shell, view]).map(({ text }) => text)).toEqual(["Session", "Edit", "Undo an edit"]);
});
