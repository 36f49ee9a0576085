/** Who is signed in at this browser, and what they may do. */
import { computed, signal } from "@preact/signals";

export interface SignedIn {
  /** Name of the token or link; empty where REST is open to everyone. */
  user: string;
  role: "view" | "operate";
  expiresAt: string | null;
  /** REST is open to everyone: nobody signs in or out. */
  isOpen: boolean;
}

/** Null until the API has said it, and while nobody is signed in. */
export const signedIn = signal<SignedIn | null>(null);

/** Why nobody is signed in, in one line; empty where somebody is, or that is not known yet. */
export const signedOut = signal("");

export const mayOperate = computed(() => signedIn.value?.role !== "view");

/** Why a control is off for a viewer; empty where it is on. */
export const offReason = computed(() =>
  mayOperate.value ? "" : `${signedIn.value?.user} may see this session and change nothing: sign in as an operator`,
);

/** Stands before the code in a link. Browsers send no server what follows a #. */
const IN_FRAGMENT = "#sign-in=";

/** The code that a fragment holds; empty for any other fragment. */
export function codeIn(fragment: string): string {
  return fragment.startsWith(IN_FRAGMENT) ? fragment.slice(IN_FRAGMENT.length) : "";
}

/** Whether a link's code is worth exchanging: it counts browsers, and an operator can do more already. */
export function wantsExchange(now: SignedIn | null): boolean {
  return now === null || (!now.isOpen && now.role === "view");
}
