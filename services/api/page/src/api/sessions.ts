/** The other sessions of the user who runs this one. */
import { getJson } from "./client";

export interface OtherSession {
  name: string;
  /** Port of its page, at the host name of this one. */
  port: number;
  isSecure: boolean;
}

export interface Sessions {
  /** Name of this session; empty where it was told none. */
  name: string;
  others: readonly OtherSession[];
}

export function sessions(): Promise<Sessions> {
  return getJson<Sessions>("/api/sessions");
}
