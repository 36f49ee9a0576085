/** Who changed what, as the API tells it. */
import { getJson } from "./client";

/** What somebody has changed, or (`refused`) had no right to. */
export interface AuditEntry {
  id: number;
  at: string;
  /** Whom a key or token proves; "" for nobody. */
  user: string;
  /** The name that was typed; nothing proves it. */
  by: string;
  /** The program that asked. */
  via: string;
  /** The request's type, such as settings.patch. */
  action: string;
  /** What was changed, in words. */
  detail: string;
  outcome: "done" | "refused";
}

/** Which entries: `user` is a part of a name, `action` an area such as settings; "" for all. */
export interface AuditFilter {
  user: string;
  action: string;
}

export interface AuditPage {
  entries: AuditEntry[];
  nextBefore: number | null;
}

/** A page of entries, newest first: the newest ones, or those before the entry `before`. */
export function auditPage({ user, action }: AuditFilter, before?: number): Promise<AuditPage> {
  return getJson<AuditPage>("/api/audit", { user: user || undefined, action: action || undefined, before });
}
