import { afterEach, expect, it, vi } from "vitest";
import { getJson, sendJson } from "../src/api/client";
import { codeIn, mayOperate, offReason, type SignedIn, signedIn, signedOut, wantsExchange } from "../src/state/access";

const VIEWER: SignedIn = { user: "lab-b", role: "view", expiresAt: "2026-11-30T00:00:00Z", isOpen: false };
const OPERATOR: SignedIn = { ...VIEWER, user: "ada", role: "operate" };

afterEach(() => {
  vi.unstubAllGlobals();
  signedIn.value = null;
  signedOut.value = "";
});

function refused(status: number, headers: Record<string, string>): void {
  const detail = status === 401 ? "this token or link was revoked" : "this needs a token with the role operate";
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(JSON.stringify({ detail }), { status, headers })));
}

const PROBLEM = { "Content-Type": "application/problem+json" };
const OWN = { ...PROBLEM, "WWW-Authenticate": 'Bearer realm="warpcore"' };

it("finds the code of a link in the fragment alone", () => {
  expect(codeIn("#sign-in=wcc_1_abc")).toBe("wcc_1_abc");
  expect(codeIn("#/movies/sign-in=x")).toBe("");
  expect(codeIn("")).toBe("");
});

it("exchanges a code where that gives more than the browser has", () => {
  expect(wantsExchange(null)).toBe(true);
  expect(wantsExchange(VIEWER)).toBe(true);
  expect(wantsExchange(OPERATOR)).toBe(false);
  expect(wantsExchange({ ...OPERATOR, user: "", isOpen: true })).toBe(false);
});

it("turns off for viewers what changes the session, and says why", () => {
  expect(mayOperate.value).toBe(true);
  signedIn.value = VIEWER;
  expect(mayOperate.value).toBe(false);
  expect(offReason.value).toContain("lab-b may see this session and change nothing");
  signedIn.value = OPERATOR;
  expect(offReason.value).toBe("");
});

it("asks to sign in where warpcore itself refuses, and says why", async () => {
  refused(401, OWN);
  await expect(getJson("/api/items")).rejects.toMatchObject({ signedOut: true, loggedOut: false, passing: true });
  expect(signedOut.value).toBe("this token or link was revoked");
});

it("leaves a proxy's own login to the proxy", async () => {
  refused(401, { "WWW-Authenticate": 'Basic realm="lab"' });
  await expect(getJson("/api/items")).rejects.toMatchObject({ signedOut: false, loggedOut: true });
  expect(signedOut.value).toBe("");
});

it("tells of a refused sign-in without forgetting who is signed in", async () => {
  refused(401, OWN);
  await expect(sendJson("POST", "/api/sign-in", { code: "x" })).rejects.toMatchObject({ status: 401 });
  expect(signedOut.value).toBe("");
});

it("takes the refusal of a role for what it is, and no login that has expired", async () => {
  refused(403, PROBLEM);
  await expect(sendJson("POST", "/api/processing/pause")).rejects.toMatchObject({ loggedOut: false, passing: false });
});
