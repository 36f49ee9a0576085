/** Entries of the audit log: joined page by page, and in words. */
import type { AuditEntry, AuditPage } from "../../api/audit";

/** The listed entries with the newest page, which may tell some of them anew: edits that follow each other are one.
 *
 * Where more came than a page holds, what lies between is not known: then only the newest page is listed.
 */
export function withNewest(listed: AuditPage | null, newest: AuditPage): AuditPage {
  const reached = newest.entries.at(-1)?.id ?? 0;
  const older = listed?.entries.filter(({ id }) => id < reached) ?? [];
  if (listed === null || older.length === listed.entries.length || older.length === 0) return newest;
  return { entries: [...newest.entries, ...older], nextBefore: listed.nextBefore };
}

/** The listed entries with those before the entry `before`, if that is still where they end. */
export function withOlder(listed: AuditPage | null, before: number, older: AuditPage): AuditPage | null {
  if (listed?.nextBefore !== before) return listed;
  return { entries: [...listed.entries, ...older.entries], nextBefore: older.nextBefore };
}

/** Who asked, and what is known of that: whom a key or token proves, or who was only typed. */
export function whoWords({ user, by, via }: Pick<AuditEntry, "user" | "by" | "via">): { name: string; proof: string } {
  if (user !== "") return { name: user, proof: by !== "" && by !== user ? `as ${by}` : "" };
  return by !== "" ? { name: by, proof: "not proven" } : { name: "nobody known", proof: `by ${via}` };
}

/** Areas of actions, as a person calls them. */
export const AREAS: readonly { value: string; text: string }[] = [
  { value: "", text: "everything" },
  { value: "settings", text: "settings" },
  { value: "profile", text: "profiles" },
  { value: "processing", text: "start, pause and order" },
  { value: "item", text: "single movies" },
  { value: "items", text: "many movies" },
  { value: "selection", text: "selections taken back" },
  { value: "try", text: "tries" },
  { value: "export", text: "exports" },
  { value: "alarm", text: "alarms" },
  { value: "pool", text: "pools" },
  { value: "key", text: "keys" },
  { value: "token", text: "tokens" },
  { value: "link", text: "viewer links" },
];
