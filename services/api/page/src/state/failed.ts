/** What operators do with failed movies, in all views alike: try them again, or forget them. */
import { api, type ForgetChoice, type RefusedMovie, type RetryChoice } from "../api/client";
import { counted } from "../parts/format";
import { movies } from "./movies";
import { act, notify, notifyProblem } from "./notices";
import { signature } from "./preferences";
import { refreshSession } from "./sync";

/** Queue failed movies again, and tell what came of it. */
export function retry(choice: RetryChoice): Promise<void> {
  return act(api.retry(choice), ({ retried, refused }) => tell("tried again", retried, refused, choice.ids));
}

/** Take failed movies out of the session, which cannot be undone, and tell what came of it. */
export function forget(choice: ForgetChoice): Promise<void> {
  return act(api.forget(choice, signature()), ({ forgotten, refused }) =>
    tell("forgotten", forgotten, refused, choice.ids),
  );
}

function tell(what: string, done: number, refused: readonly RefusedMovie[], ids: readonly number[] = []): void {
  const [id] = ids;
  const text = outcomeWords(what, done, refused, id !== undefined && ids.length === 1 ? movies.nameOf(id) : "");
  if (done === 0 && refused.length > 0) notifyProblem(text);
  else notify(text);
  refreshSession();
}

/** "3 movies are tried again; 2 are not: a is in use by …". `name` is that of the movie where it is but one. */
export function outcomeWords(what: string, done: number, refused: readonly RefusedMovie[], name = ""): string {
  const who = done === 1 && name !== "" ? name : counted(done, "movie");
  const told = `${who} ${done === 1 ? "is" : "are"} ${what}`;
  const [first] = refused;
  if (first === undefined) return `${told}.`;
  return `${told}; ${counted(refused.length, "is not", "are not")}: ${first.problem}`;
}
