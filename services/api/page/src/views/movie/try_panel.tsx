/** "Try with": the movie processed aside with other settings, beside its present result. */
import { useEffect, useState } from "preact/hooks";
import { movieApi, type SettingsPatch, type SettingsSchema, type Try } from "../../api/movie";
import { Badge, Button, Empty, Panel, Progress, Segments } from "../../parts/controls";
import { formatTime } from "../../parts/format";
import { notifyProblem } from "../../state/notices";
import { onEvent } from "../../state/sync";
import { ApplyDialog, assignments } from "./apply_dialog";
import { act, type MovieWithStory, useLoaded } from "./movie_state";
import { SettingField } from "./setting_field";
import { changesOf, type Field, fieldsOf, textOf } from "./setting_fields";
import { TryResult } from "./try_result";

const SECTIONS = ["motion", "ctf", "picking"] as const;
type Section = (typeof SECTIONS)[number];

export function TryPanel({ movie, generation }: { movie: MovieWithStory; generation: number | undefined }) {
  const { name } = movie;
  const [version, setVersion] = useState(0);
  const reload = () => setVersion((before) => before + 1);
  useEffect(
    () =>
      onEvent((topic) => {
        if (topic.startsWith("try.") || topic === "settings.changed") reload();
      }),
    [name],
  );
  const schema = useLoaded(movieApi.settingsSchema, "settings", 0).value;
  const settings = useLoaded(movieApi.settings, "settings", version).value;
  const tries = useLoaded((signal) => movieApi.tries(name, signal), name, version).value;
  const running = tries?.some(({ state }) => state === "waiting" || state === "running") ?? false;
  useEffect(() => {
    if (!running) return;
    const timer = setTimeout(reload, 1000); // How far a try is comes with no event.
    return () => clearTimeout(timer);
  }, [running, version]);
  return (
    <Panel title="Try with other settings" wide>
      {schema === null || settings === null ? (
        <Empty>Loading.</Empty>
      ) : (
        <div class="try">
          <TryForm name={name} schema={schema} present={settings} onStarted={reload} />
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

function TryForm({
  name,
  schema,
  present,
  onStarted,
}: {
  name: string;
  schema: SettingsSchema;
  present: SettingsPatch;
  onStarted: () => void;
}) {
  const [section, setSection] = useState<Section>("ctf");
  const [texts, setTexts] = useState<ReadonlyMap<string, string>>(new Map());
  const fields = SECTIONS.flatMap((one) => fieldsOf(schema, one));
  const key = (field: Field) => `${field.section}.${field.name}`;
  const presentText = (field: Field) => textOf(present[field.section]?.[field.name]);
  const differs = (field: Field) => (texts.get(key(field)) ?? presentText(field)) !== presentText(field);
  const count = fields.filter(differs).length;
  const start = () => {
    let patch: SettingsPatch;
    try {
      patch = changesOf(fields, texts, present);
    } catch (error) {
      notifyProblem(error);
      return;
    }
    void act(movieApi.startTry(name, patch), onStarted);
  };
  return (
    <form
      class="try-form"
      aria-label="Settings to try"
      onSubmit={(event) => {
        event.preventDefault();
        start();
      }}
    >
      <Segments<Section>
        label="Step"
        value={section}
        onChange={setSection}
        choices={SECTIONS.map((one) => ({
          value: one,
          text: fields.some((field) => field.section === one && differs(field)) ? `${one} •` : one,
        }))}
      />
      <div class="settings-fields">
        {fields
          .filter((field) => field.section === section)
          .map((field) => (
            <SettingField
              key={key(field)}
              field={field}
              text={texts.get(key(field)) ?? presentText(field)}
              changed={differs(field)}
              onChange={(text) => setTexts(new Map(texts).set(key(field), text))}
            />
          ))}
      </div>
      <div class="row">
        <button type="submit" class="button primary" disabled={count === 0}>
          Try
        </button>
        <Button disabled={count === 0} onClick={() => setTexts(new Map())}>
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
  movie: MovieWithStory;
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
          {state === "done" && <Button onClick={() => setApplying(true)}>Apply to the session …</Button>}
          <Button onClick={() => void act(movieApi.deleteTry(id), onChange)}>
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
