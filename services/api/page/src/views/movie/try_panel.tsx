/** "Try with": the movie processed aside with other settings, beside its present result. */

import { useEffect, useState } from "preact/hooks";
import { movieApi, type Try } from "../../api/movie";
import type { Movie } from "../../api/types";
import { ApplyDialog } from "../../parts/apply_dialog";
import { Badge, Button, Empty, Panel, Progress, Segments } from "../../parts/controls";
import { formatTime } from "../../parts/format";
import { useFresh } from "../../parts/fresh";
import { SettingControl } from "../../parts/setting_control";
import { assignments, changesOf, settingIn, textOf } from "../../parts/setting_fields";
import { act } from "../../state/notices";
import { loadSettings, settings, stepSections } from "../../state/settings";
import { useLoaded } from "./movie_state";
import { TryResult } from "./try_result";

export function TryPanel({ movie, generation }: { movie: Movie; generation: number | undefined }) {
  const { name } = movie;
  const [version, setVersion] = useState(0);
  const reload = () => setVersion((before) => before + 1);
  useFresh(reload, "try.");
  useFresh(loadSettings, "settings.changed");
  const tries = useLoaded((signal) => movieApi.tries(name, signal), name, version).value;
  const running = tries?.some(({ state }) => state === "waiting" || state === "running") ?? false;
  useEffect(() => {
    if (!running) return;
    const timer = setTimeout(reload, 1000); // How far a try is comes with no event.
    return () => clearTimeout(timer);
  }, [running, version]);
  return (
    <Panel title="Try with other settings" wide>
      {stepSections.value.length === 0 ? (
        <Empty>Loading.</Empty>
      ) : (
        <div class="try">
          <TryForm name={name} onStarted={reload} />
          <div class="tries" aria-live="polite">
            {tries?.length ? (
              tries.map((one) => (
                <OneTry key={one.id} head={one} movie={movie} generation={generation} onChange={reload} />
              ))
            ) : (
              <Empty>This movie alone is processed with the settings at the left. The session stays as it is.</Empty>
            )}
          </div>
        </div>
      )}
    </Panel>
  );
}

/** Brings the form into sight and the focus to it. */
export function goToTry(): void {
  document.querySelector<HTMLElement>(".try-form button")?.focus();
}

function TryForm({ name, onStarted }: { name: string; onStarted: () => void }) {
  const sections = stepSections.value;
  const present = settings.value;
  const [section, setSection] = useState("ctf");
  const [texts, setTexts] = useState<ReadonlyMap<string, string>>(new Map());
  const { changes, problems } = changesOf(
    sections.flatMap(({ fields }) => fields),
    present,
    texts,
  );
  const none = Object.keys(changes).length === 0;
  return (
    <form
      class="try-form"
      aria-label="Settings to try"
      onSubmit={(event) => {
        event.preventDefault();
        void act(movieApi.startTry(name, changes), onStarted);
      }}
    >
      <Segments
        label="Step"
        value={section}
        onChange={setSection}
        choices={sections.map((one) => ({ value: one.name, text: changes[one.name] ? `${one.name} •` : one.name }))}
      />
      <div class="settings-fields">
        {sections
          .find((one) => one.name === section)
          ?.fields.map((field) => (
            <SettingControl
              key={field.name}
              field={field}
              text={texts.get(field.name) ?? textOf(settingIn(present, field.name))}
              current={settingIn(present, field.name)}
              problem={problems.get(field.name)}
              onText={(text) => setTexts(new Map(texts).set(field.name, text))}
            />
          ))}
      </div>
      <div class="row">
        <Button submit operates kind="primary" disabled={none || problems.size > 0}>
          Try
        </Button>
        <Button disabled={none && problems.size === 0} onClick={() => setTexts(new Map())}>
          As in the session
        </Button>
      </div>
    </form>
  );
}

function OneTry({
  head,
  movie,
  generation,
  onChange,
}: {
  head: Try;
  movie: Movie;
  generation: number | undefined;
  onChange: () => void;
}) {
  const [applying, setApplying] = useState(false);
  const { id, state, step, fraction, failure, settings } = head;
  const whole = useLoaded((signal) => movieApi.try(id, signal), id, state).value;
  return (
    <section class="one-try" aria-label={`Try with ${assignments(settings).join(", ")}`}>
      <header class="row">
        <Badge word={state} />
        <code>{assignments(settings).join(", ") || "the session's settings"}</code>
        <small>{formatTime(head.at)}</small>
        <span class="toolbar-end">
          {state === "done" && (
            <Button operates onClick={() => setApplying(true)}>
              Apply to the session …
            </Button>
          )}
          <Button operates onClick={() => void act(movieApi.deleteTry(id), onChange)}>
            {state === "done" || state === "failed" ? "Forget" : "Give up"}
          </Button>
        </span>
      </header>
      {state === "running" && (
        <div class="row">
          <span>{step}</span>
          <Progress value={fraction} label={`Try, ${step}`} />
        </div>
      )}
      {failure !== null && <p class="bad">{failure.message}</p>}
      {state === "done" && whole !== null && <TryResult tried={whole} movie={movie} generation={generation} />}
      {applying && <ApplyDialog patch={settings} onClose={() => setApplying(false)} />}
    </section>
  );
}
