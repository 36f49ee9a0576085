/** Signing in and out: a token or a link's code is exchanged once for a cookie that no script can read. */
import { codeIn, type SignedIn, signedIn, signedOut, wantsExchange } from "../state/access";
import { getJson, inPath, ProblemError, sendJson } from "./client";

const PATH = "/api/sign-in";

/** Ask who is signed in; null where nobody is. */
export async function askWho(): Promise<SignedIn | null> {
  try {
    signedIn.value = await getJson<SignedIn>(PATH);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    if (error.signedOut) {
      signedIn.value = null;
      signedOut.value = error.message;
    }
  }
  return signedIn.value;
}

/** Sign this browser in by a token or a code. Throws ProblemError. */
export async function signIn(code: string): Promise<void> {
  signedIn.value = await sendJson<SignedIn>("POST", PATH, { code });
  signedOut.value = "";
}

/** Sign this browser out. Throws ProblemError. */
export async function signOut(): Promise<void> {
  await sendJson("DELETE", PATH);
  signedIn.value = null;
  signedOut.value = "You have signed out.";
}

/** Take the code of a link out of the address, where history and bookmarks would keep it, and sign in by it. */
export async function signInByLink(): Promise<void> {
  const code = codeIn(location.hash);
  if (code) history.replaceState(history.state, "", "#/session");
  const now = await askWho();
  if (!code || !wantsExchange(now)) return;
  try {
    await signIn(code);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    if (now === null) signedOut.value = error.message;
  }
}

/** A link that is opened where the page is open already changes the address alone: load the page anew by it. */
export function followSignInLinks(): void {
  window.addEventListener("hashchange", () => {
    if (codeIn(location.hash)) location.reload();
  });
}

/** A viewer link as operators see it in the list. */
export interface Link {
  name: string;
  expiresAt: string;
  browsersLeft: number;
  signedIn: number;
}

export interface NewLink {
  name: string;
  fragment: string;
  expiresAt: string;
}

const LINKS = "/api/links";

export const linksApi = {
  all: () => getJson<Link[]>(LINKS),
  make: (name: string, days: number, browsers: number) => sendJson<NewLink>("POST", LINKS, { name, days, browsers }),
  revoke: (name: string) => sendJson<null>("DELETE", `${LINKS}/${inPath(name)}`),
};
