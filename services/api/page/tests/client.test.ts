import { afterEach, expect, it, vi } from "vitest";
import { getBytes, getJson, itemPath, sendJson } from "../src/api/client";

it.each([
  ["grid1/a b", "", "/api/items/grid1/a%20b"],
  ["a#%?/x", "curves", "/api/items/a%23%25%3F/x/curves"],
  ["summary", "", "/api/items/~/summary"],
  ["timestamp", "picks/hand", "/api/items/~/timestamp/picks/hand"],
  ["grid1/summary", "", "/api/items/grid1/summary"],
])("asks for the movie %j and its %j where REST has them", (name, part, path) => {
  expect(itemPath(name, part)).toBe(path);
});

afterEach(() => void vi.unstubAllGlobals());

/** From now on the network answers every request with this. */
function answering(status: number, type: string, text: string | null): void {
  vi.stubGlobal("fetch", async () => new Response(text, { status, headers: { "Content-Type": type } }));
}

const SERIES = "application/vnd.warpcore.series";

it("reads the answers of the API", async () => {
  answering(200, "application/json; charset=utf-8", '{"a": 1}');
  expect(await getJson("/api/a")).toEqual({ a: 1 });
  answering(204, "", null);
  expect(await sendJson("DELETE", "/api/a")).toBeNull();
  answering(200, SERIES, "WCS1");
  expect((await getBytes("/api/series", {}, SERIES)).byteLength).toBe(4);
});

const LOGIN = { loggedOut: true, passing: true };

it.each([
  [200, "text/html", "<form>", { ...LOGIN, message: expect.stringContaining("sign in again") }],
  [401, "text/html", "<form>", LOGIN],
  [403, "text/html", "<form>", LOGIN],
  [
    409,
    "application/problem+json",
    '{"detail": "it has not failed"}',
    { passing: false, message: "it has not failed" },
  ],
  [502, "text/html", "<h1>", { loggedOut: false, passing: true }],
])("tells of an answer %i of type %s what is amiss, whatever was asked for", async (status, type, text, problem) => {
  answering(status, type, text);
  await expect(getJson("/api/a")).rejects.toMatchObject(problem);
  await expect(sendJson("POST", "/api/a", {})).rejects.toMatchObject(problem);
  await expect(getBytes("/api/series", {}, SERIES)).rejects.toMatchObject(problem);
});

it("takes half an answer for a lost connection", async () => {
  answering(200, "application/json", '{"a": ');
  await expect(getJson("/api/a")).rejects.toMatchObject({ status: 0, passing: true });
  await expect(sendJson("POST", "/api/a", {})).rejects.toMatchObject({ status: 0, passing: true });
});

it("takes a redirect for one to a login page", async () => {
  vi.stubGlobal("fetch", async (_: string, { redirect }: RequestInit) =>
    redirect === "manual" ? { type: "opaqueredirect", ok: false, status: 0 } : Promise.reject(new TypeError()),
  );
  await expect(getJson("/api/a")).rejects.toMatchObject(LOGIN);
});
