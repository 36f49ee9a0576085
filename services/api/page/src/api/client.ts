/** Requests to the API: typed answers, and problems (RFC 9457) as errors with one clear line. */
import { signedOut } from "../state/access";
import type {
  Alarm,
  ColumnInfo,
  Movie,
  MovieDetails,
  MoviesPage,
  Order,
  ProcessingStatus,
  Selection,
  SelectionChange,
  Worker,
} from "./types";

/** A value that the API refused, and why. */
export interface Fault {
  name: string;
  value: unknown;
  problem: string;
}

/** The API's refusal, or that it does not answer (`status` 0). `message` is one line for the operator. */
export class ProblemError extends Error {
  constructor(
    readonly status: number,
    detail: string,
    readonly faults: Fault[] = [],
    /** Whether warpcore itself says so, and no proxy in front of it. */
    readonly own = true,
  ) {
    super(detail);
    this.name = "ProblemError";
  }

  /** Why each value was refused, by its name; empty where the refusal names none. */
  get byName(): ReadonlyMap<string, string> {
    return new Map(this.faults.map(({ name, problem }) => [name, problem]));
  }

  /** Whether the same request may succeed later: no connection, no scheduler, no login, or too many requests. */
  get passing(): boolean {
    return this.loggedOut || this.signedOut || [0, 429, 502, 503, 504].includes(this.status);
  }

  /** Whether a proxy in front of warpcore wants the user to sign in. */
  get loggedOut(): boolean {
    return !this.own && (this.status === 401 || this.status === 403);
  }

  /** Whether warpcore wants the user to sign in: the shell then asks for that. */
  get signedOut(): boolean {
    return this.own && this.status === 401;
  }
}

/** The API's refusal that an error is; null where the request may succeed later: the shell's line tells of that.
 *
 * Other errors are the page's own, and are thrown again.
 */
export function refusal(error: unknown): ProblemError | null {
  if (!(error instanceof ProblemError)) throw error;
  return error.passing ? null : error;
}

export type Query = Record<string, string | number | boolean | undefined | readonly string[]>;

/** A path with its query; arrays repeat their parameter, undefined leaves it out. */
export function address(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (typeof value === "object") for (const one of value) parameters.append(name, one);
    else parameters.append(name, String(value));
  }
  const text = parameters.toString();
  return text ? `${path}?${text}` : path;
}

/** Paths below `/api/items` that are no movies: one of such a name is `~/summary` there. */
const TAKEN = ["summary", "timestamp"];

/** A name as a part of a path: its slashes stay. */
export function inPath(name: string): string {
  return name.split("/").map(encodeURIComponent).join("/");
}

/** The path of a movie, or of what belongs to it: `itemPath("grid1/a", "curves")`. */
export function itemPath(name: string, part = ""): string {
  const address = TAKEN.includes(name) ? `~/${name}` : name;
  const path = `/api/items/${inPath(address)}`;
  return part ? `${path}/${part}` : path;
}

const JSON_TYPE = "application/json";

/** The answer's bytes, of this media type. Throws ProblemError. */
export async function getBytes(path: string, query: Query, type: string): Promise<ArrayBuffer> {
  const answer = await send("GET", address(path, query), { type });
  return whole(answer.arrayBuffer());
}

/** The answer's JSON. Throws ProblemError. */
export async function getJson<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  const answer = await send("GET", address(path, query), { signal });
  return whole(answer.json() as Promise<T>);
}

/** Sends `body` as JSON and returns the answer's JSON, null where there is none. Throws ProblemError. */
export async function sendJson<T>(
  method: "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
): Promise<T> {
  const answer = await send(method, path, { body });
  return (answer.status === 204 ? null : await whole(answer.json())) as T;
}

/** Refused sign-ins say nothing of who is signed in. */
const SIGN_IN = "/api/sign-in";
/** So begins the header of a 401 that is warpcore's own. */
const CHALLENGE = 'Bearer realm="warpcore"';

interface Sent {
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** Media type of the answer. */
  type?: string;
}

async function send(method: string, path: string, { body, signal, type = JSON_TYPE }: Sent): Promise<Response> {
  // The API redirects no request: what does is a proxy, to its login page.
  const init: RequestInit = { method, signal: signal ?? null, redirect: "manual" };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": JSON_TYPE };
  }
  const answer = await whole(fetch(path, init));
  if (isForeign(answer, type)) {
    throw new ProblemError(401, "A login page came in place of an answer: sign in again", [], false);
  }
  if (!answer.ok) {
    const refused = await problem(answer);
    if (refused.signedOut && path !== SIGN_IN && !signedOut.peek()) signedOut.value = refused.message;
    throw refused;
  }
  return answer;
}

/** What arrives; a connection that is lost before the end is a ProblemError. */
async function whole<T>(arriving: Promise<T>): Promise<T> {
  try {
    return await arriving;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ProblemError(0, "warpcore does not answer; the page goes on as soon as it does");
  }
}

/** Whether it is not warpcore that answered: a redirect, or a success of another media type. */
function isForeign(answer: Response, type: string): boolean {
  if (answer.type === "opaqueredirect") return true;
  return answer.ok && answer.status !== 204 && answer.headers.get("Content-Type")?.split(";")[0] !== type;
}

async function problem(answer: Response): Promise<ProblemError> {
  try {
    const document = (await answer.json()) as { detail?: string; errors?: Fault[] };
    return new ProblemError(answer.status, document.detail ?? answer.statusText, document.errors ?? [], isOwn(answer));
  } catch {
    return new ProblemError(answer.status, `warpcore answered ${answer.status} ${answer.statusText}`, [], false);
  }
}

/** Whether a refusal is warpcore's own, and not that of a proxy in front of it. */
function isOwn(answer: Response): boolean {
  if (answer.status === 401) return answer.headers.get("WWW-Authenticate")?.startsWith(CHALLENGE) ?? false;
  return answer.headers.get("Content-Type")?.startsWith("application/problem+json") ?? false;
}

/** Which failed movies are tried again: those of `ids`, those of a kind of failure, or (neither given) all. */
export interface RetryChoice {
  ids?: readonly number[];
  kind?: string;
  /** Run all steps again. */
  force?: boolean;
}

/** Which failed movies are taken out of the session: those of `ids`, and those that all filters let through. */
export interface ForgetChoice {
  ids?: readonly number[];
  filter?: readonly string[];
}

/** A movie for which that cannot be done now; the problem names it. */
export interface RefusedMovie {
  name: string;
  problem: string;
}

/** The API's requests by name. */
export const api = {
  status: () => getJson<ProcessingStatus>("/api/processing/status"),
  start: () => sendJson<ProcessingStatus>("POST", "/api/processing/start"),
  pause: () => sendJson<ProcessingStatus>("POST", "/api/processing/pause"),
  order: (order: Order) => sendJson<ProcessingStatus>("PUT", "/api/processing/order", { order }),
  workers: async () => (await getJson<{ workers: Worker[] }>("/api/workers")).workers,
  alarms: () => getJson<Alarm[]>("/api/alarms"),
  acknowledge: (id: string) => sendJson<Alarm[]>("POST", "/api/alarms/acknowledge", { id }),
  columns: () => getJson<ColumnInfo[]>("/api/columns"),
  items: (query: Query) => getJson<MoviesPage>("/api/items", query),
  item: (name: string, signal?: AbortSignal) => getJson<MovieDetails>(itemPath(name), {}, signal),
  retry: (choice: RetryChoice) => sendJson<{ retried: number; refused: RefusedMovie[] }>("POST", "/api/retry", choice),
  forget: (choice: ForgetChoice, by: string) =>
    sendJson<{ forgotten: number; refused: RefusedMovie[] }>("POST", "/api/forget", { ...choice, by }),
  first: (name: string) => sendJson<Movie>("POST", itemPath(name, "priority"), { first: true }),
  select: (selection: Selection, ids: readonly number[], by: string) =>
    sendJson<{ changed: number; undo: string }>("POST", "/api/selection", { selection, ids, by }),
  selections: () => getJson<{ changes: SelectionChange[] }>("/api/selection"),
  undoSelection: (undo: string) => sendJson<{ changed: number }>("POST", "/api/selection/undo", { undo }),
};
