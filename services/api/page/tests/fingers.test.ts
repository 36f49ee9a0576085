import { expect, it } from "vitest";
import { Fingers } from "../src/views/plots/fingers";

it("two fingers zoom about their middle, by how far they part", () => {
  const fingers = new Fingers();
  fingers.put(1, [100, 50]);
  expect(fingers.move(1, [100, 60])).toBeNull();
  fingers.put(2, [200, 60]);
  expect(fingers.move(2, [300, 60])).toEqual({ place: [200, 60], factor: 0.5 });
  expect(fingers.move(1, [200, 60])).toEqual({ place: [250, 60], factor: 2 });
  fingers.lift(1);
  expect([fingers.count, fingers.move(2, [400, 60])]).toEqual([1, null]);
});

it("neither three fingers nor a pointer that is none zoom", () => {
  const fingers = new Fingers();
  for (const finger of [1, 2, 3]) fingers.put(finger, [finger * 100, 0]);
  expect(fingers.move(3, [400, 0])).toBeNull();
  fingers.lift(3);
  expect(fingers.move(9, [0, 0])).toBeNull();
});

it("fingers that meet zoom no further", () => {
  const fingers = new Fingers();
  fingers.put(1, [0, 0]);
  fingers.put(2, [20, 0]);
  expect(fingers.move(2, [0, 0])!.factor).toBe(2);
  expect(fingers.move(2, [5, 0])!.factor).toBe(1);
});
