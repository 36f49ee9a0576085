import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { apply, changedCount, discard, edit, effect, load, refused } from "../src/views/settings/draft";

const SCHEMA = {
  properties: { ctf: { $ref: "#/$defs/Ctf" } },
  $defs: { Ctf: { description: "CTF fit.", properties: { range_max: { type: "number", default: 4 } } } },
};
const EFFECT = {
  changed: ["ctf.range_max"],
  runs: { ctf: 7 },
  movies: 7,
  kept: 0,
  rejected: 0,
  accepted: 0,
  retried: 0,
};

/** What the session holds, and the requests for a preview that wait for their answer. */
let rangeMax = 4;
let previews: ((answer: Response) => void)[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("window", globalThis);
  rangeMax = 4;
  previews = [];
  vi.stubGlobal("fetch", (path: string, { method, body }: RequestInit) => {
    if (path.startsWith("/api/settings/preview")) return new Promise((resolve) => previews.push(resolve));
    if (path.endsWith("/schema")) return Promise.resolve(Response.json(SCHEMA));
    if (path.endsWith("/history")) return Promise.resolve(Response.json([]));
    if (path.endsWith("/profiles")) return Promise.resolve(Response.json({ profiles: [] }));
    if (method === "PATCH") rangeMax = JSON.parse(body as string).ctf.range_max;
    return Promise.resolve(Response.json({ ctf: { range_max: rangeMax } }));
  });
});

afterEach(() => {
  discard();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** The answer to the request for a preview that has waited longest. */
async function answerPreview(answer = Response.json(EFFECT)): Promise<void> {
  await vi.waitFor(() => expect(previews.length).toBeGreaterThan(0));
  previews.shift()!(answer);
  await vi.advanceTimersByTimeAsync(0);
}

it("keeps what it knows of an edit while the settings are read again", async () => {
  await load();
  edit([["ctf.range_max", "5"]]);
  expect(effect.value).toBeNull();
  await vi.advanceTimersByTimeAsync(1000);
  await answerPreview();
  expect(effect.value).toEqual(EFFECT);

  await load();
  expect(effect.value).toEqual(EFFECT);
  await vi.advanceTimersByTimeAsync(1000);
  await answerPreview(Response.json({ ...EFFECT, movies: 8 }));
  expect(effect.value).toMatchObject({ movies: 8 });

  await apply();
  expect(rangeMax).toBe(5);
  expect(changedCount.value).toBe(0);
  expect(effect.value).toBeNull();
});

it("keeps a refusal while the settings are read again, and drops it when they allow the edit", async () => {
  await load();
  edit([["ctf.range_max", "5"]]);
  await vi.advanceTimersByTimeAsync(1000);
  const fault = { name: "ctf.range_max", value: 5, problem: "is above Nyquist" };
  await answerPreview(Response.json({ detail: "refused", errors: [fault] }, { status: 422 }));
  expect(refused.value.get("ctf.range_max")).toBe("is above Nyquist");

  await load();
  expect(refused.value.size).toBe(1);
  await vi.advanceTimersByTimeAsync(1000);
  await answerPreview();
  expect(refused.value.size).toBe(0);
  expect(effect.value).toEqual(EFFECT);
});
