/** What surrounds every view: navigation, state of the session, connection line, notices, keys and their help. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { OtherSessions } from "./other_sessions";
import { Badge, Button, Segments } from "./parts/controls";
import { Dialog } from "./parts/dialog";
import { counted } from "./parts/format";
import { boundKeys, keyLabel, useKeys } from "./parts/keys";
import { Account } from "./share";
import { SignIn } from "./sign_in";
import { offReason, signedOut } from "./state/access";
import { dismiss, dismissProblems, notices } from "./state/notices";
import { theme, timeZone } from "./state/preferences";
import { go, hrefOf, route } from "./state/route";
import { scrollToView } from "./state/scrolling";
import { undoLast } from "./state/selection";
import { connection, status, unseenAlarms } from "./state/session";
import { VIEW_ENTRIES } from "./views/registry";
import { anyCritical, sessionState } from "./views/session/sentence";

/** Views that a digit opens: there are no more digits. */
const WITH_KEY = 9;

export function Shell() {
  const help = useSignal(false);
  const keys = [
    ...VIEW_ENTRIES.slice(0, WITH_KEY).map(({ view, title }, place) => ({
      key: `${place + 1}`,
      text: title,
      run: () => go(view),
    })),
    { key: "ctrl+z", operates: true, text: "Undo the last choice of movies", run: () => void undoLast() },
    {
      key: "?",
      text: "Show these keys",
      run: () => {
        help.value = true;
      },
    },
  ];
  useKeys(keys, "shell");
  const entry = VIEW_ENTRIES.find(({ view }) => view === route.value.view) ?? VIEW_ENTRIES[0]!;
  useEffect(() => {
    document.title = `${route.value.subject || entry.title} · warpcore`;
  }, [entry, route.value.subject]);
  useLayoutEffect(scrollToView, [route.value.view, route.value.subject]);
  useEffect(dismissProblems, [route.value.view, route.value.subject]);
  const View = entry.component;
  if (signedOut.value) {
    return (
      <>
        <SignIn />
        <Notices />
      </>
    );
  }
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to the view
      </button>
      <TopLines>
        <Header
          onHelp={() => {
            help.value = true;
          }}
        />
        <ConnectionLine />
        <ViewerLine />
      </TopLines>
      <main id="main" tabIndex={-1}>
        <h1 class="unseen">{route.value.subject || entry.title}</h1>
        <View />
      </main>
      <Notices />
      {help.value && (
        <KeyHelp
          onClose={() => {
            help.value = false;
          }}
        />
      )}
    </>
  );
}

/** What stays in sight above the view. Its height is known to the styles: what else stays in sight is below it. */
function TopLines({ children }: { children: ComponentChildren }) {
  const lines = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const tell = () => document.documentElement.style.setProperty("--top-height", `${lines.current!.offsetHeight}px`);
    const size = new ResizeObserver(tell);
    size.observe(lines.current!);
    tell();
    return () => size.disconnect();
  }, []);
  return (
    <div class="top-lines" ref={lines}>
      {children}
    </div>
  );
}

function Header({ onHelp }: { onHelp: () => void }) {
  return (
    <header class="top">
      <a class="brand" href={hrefOf("session")}>
        warpcore
      </a>
      <nav aria-label="Views">
        {VIEW_ENTRIES.map(({ view, title }) => (
          <a key={view} href={hrefOf(view)} aria-current={view === route.value.view ? "page" : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <div class="top-end">
        <OtherSessions />
        <SessionState />
        <Account />
        <Segments
          label="Time zone"
          value={timeZone.value}
          onChange={(zone) => {
            timeZone.value = zone;
          }}
          choices={[
            { value: "local", text: "local", title: "Times of this computer" },
            { value: "UTC", text: "UTC" },
          ]}
        />
        <Segments
          label="Theme"
          value={theme.value}
          onChange={(next) => {
            theme.value = next;
          }}
          choices={[
            { value: "system", text: "auto", title: "As the system" },
            { value: "dark", text: "dark" },
            { value: "light", text: "light" },
          ]}
        />
        <Button kind="quiet" label="Keys" title="Keys (?)" onClick={onHelp}>
          ?
        </Button>
      </div>
    </header>
  );
}

/** Whether movies are given to workers, and how many alarms nobody has seen yet; told from every view. */
function SessionState() {
  if (status.value === null) return null;
  const unseen = unseenAlarms.value;
  return (
    <span class="session-state">
      {unseen.length > 0 && (
        <Badge word={anyCritical(unseen) ? "critical" : "alarm"} text={counted(unseen.length, "alarm")} />
      )}
      <Badge word={sessionState(status.value)} />
    </span>
  );
}

function ConnectionLine() {
  const { state, text } = connection.value;
  return (
    <div class="connection" role="status" data-state={state}>
      {text}
    </div>
  );
}

/** Why controls are off for who may only look on, once for all of them. */
function ViewerLine() {
  return offReason.value === "" ? null : (
    <div class="viewer-line" role="note">
      {offReason.value}
    </div>
  );
}

function Notices() {
  return (
    <div class="notices" role="log" aria-label="Notices">
      {notices.value.map(({ id, text, problem, action }) => (
        <div key={id} class={problem ? "notice problem" : "notice"} role={problem ? "alert" : undefined}>
          <span>{text}</span>
          {action && (
            <Button
              onClick={() => {
                dismiss(id);
                action.run();
              }}
            >
              {action.label}
            </Button>
          )}
          <Button kind="quiet" label="Dismiss" onClick={() => dismiss(id)}>
            ✕
          </Button>
        </div>
      ))}
    </div>
  );
}

function KeyHelp({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <table class="keys">
        <tbody>
          {boundKeys().map(({ key, text }) => (
            <tr key={key}>
              <th scope="row">
                <kbd>{keyLabel(key)}</kbd>
              </th>
              <td>{text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}
