/** Links to the pages of the user's other sessions on this host. Each has a sign-in of its own. */
import { useSignal } from "@preact/signals";
import { type OtherSession, type Sessions, sessions } from "./api/sessions";
import { useEvery } from "./parts/fresh";
import { mayOperate } from "./state/access";

/** Sessions begin and end seldom. */
const LOOK_EVERY_MS = 30_000;

/** The address of another session's page, under the host name by which this one was reached. */
export function pageOf(other: OtherSession, hostname: string): string {
  return `${other.isSecure ? "https" : "http"}://${hostname}:${other.port}/`;
}

/** Only operators are told of other sessions: a viewer's link shows one. */
export function OtherSessions() {
  return mayOperate.value ? <Links /> : null;
}

function Links() {
  const found = useSignal<Sessions | null>(null);
  useEvery(LOOK_EVERY_MS, async () => {
    found.value = await sessions();
  });
  if (found.value === null || found.value.others.length === 0) return null;
  return (
    <nav class="other-sessions" aria-label="Sessions">
      <span title="This session">{found.value.name}</span>
      {found.value.others.map((other) => (
        <a key={other.name} href={pageOf(other, location.hostname)} title="Another session of yours on this host">
          {other.name}
        </a>
      ))}
    </nav>
  );
}
