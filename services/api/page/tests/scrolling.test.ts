import { expect, it } from "vitest";
import { ScrollMemory } from "../src/state/scrolling";

it("begins a new view at its top, and goes back and forth to where one was", () => {
  const memory = new ScrollMemory(1);
  expect(memory.goTo(2, 300)).toBe(0);
  expect(memory.goTo(1, 700)).toBe(300);
  expect(memory.goTo(2, 310)).toBe(700);
  expect(memory.goTo(3, 5)).toBe(0);
});
