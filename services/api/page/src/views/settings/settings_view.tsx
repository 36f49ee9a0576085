/** All settings as a form: what differs from defaults, what a change would do, who changed what, and profiles. */
import { Button, Empty, Panel, Toolbar } from "../../parts/controls";
import { effectWords } from "../../parts/effect_words";
import { counted } from "../../parts/format";
import { useFresh } from "../../parts/fresh";
import { useKeys } from "../../parts/keys";
import { OperatorField } from "../../parts/operator_field";
import { SettingChanges } from "../../parts/setting_changes";
import { SettingControl } from "../../parts/setting_control";
import { changedFrom, type Field, type Section, same, settingIn, textOf } from "../../parts/setting_fields";
import { route, setQuery } from "../../state/route";
import { sections, settings, steps } from "../../state/settings";
import { apply, changedCount, discard, draft, edit, effect, load, refused, texts } from "./draft";
import { History } from "./history";
import { Profiles } from "./profiles";

export function SettingsView() {
  useFresh(load, "settings.changed");
  useKeys([{ key: "/", text: "Search settings", run: () => document.getElementById("settings-search")?.focus() }]);
  if (sections.value.length === 0) return <Empty>Waiting for the settings.</Empty>;
  const search = route.value.query.get("search") ?? "";
  const onlyChanged = route.value.query.get("only") === "differing";
  const shown = sections.value
    .map((section) => ({ ...section, fields: section.fields.filter((field) => isShown(field, search, onlyChanged)) }))
    .filter((section) => section.fields.length > 0);
  return (
    <div class="settings">
      <div class="settings-form">
        <Tools search={search} onlyChanged={onlyChanged} />
        {shown.map((section) => (
          <SectionPanel key={section.name} section={section} />
        ))}
        {shown.length === 0 && (
          <Empty>{search ? `No setting for “${search}”.` : "All settings have their defaults."}</Empty>
        )}
      </div>
      <aside class="settings-side" aria-label="Change and history">
        <Preview />
        <Profiles />
        <History />
      </aside>
    </div>
  );
}

function isShown(field: Field, search: string, onlyChanged: boolean): boolean {
  const text = `${field.name} ${field.label} ${field.description}`.toLowerCase();
  if (!text.includes(search.toLowerCase())) return false;
  return !onlyChanged || (field.initial !== undefined && !same(settingIn(settings.value, field.name), field.initial));
}

function Tools({ search, onlyChanged }: { search: string; onlyChanged: boolean }) {
  return (
    <Toolbar label="Which settings">
      <input
        id="settings-search"
        type="search"
        aria-label="Search settings"
        placeholder="Search (/)"
        value={search}
        onInput={(event) => setQuery({ search: event.currentTarget.value || null })}
      />
      <Button pressed={onlyChanged} onClick={() => setQuery({ only: onlyChanged ? null : "differing" })}>
        Only what differs from defaults
      </Button>
    </Toolbar>
  );
}

function SectionPanel({ section }: { section: Section }) {
  return (
    <Panel title={section.name}>
      <p class="section-help">{section.description}</p>
      <div class="setting-grid">
        {section.fields.map((field) => (
          <Setting key={field.name} field={field} />
        ))}
      </div>
    </Panel>
  );
}

function Setting({ field }: { field: Field }) {
  const { name } = field;
  const current = settingIn(settings.value, name);
  return (
    <SettingControl
      field={field}
      text={texts.value.get(name) ?? textOf(current)}
      current={current}
      problem={draft.value.problems.get(name) ?? refused.value.get(name)}
      onText={(text) => edit([[name, text]])}
    />
  );
}

/** What the edits would do, before they are applied. */
function Preview() {
  const count = changedCount.value;
  const wrong = draft.value.problems.size + refused.value.size;
  return (
    <Panel title="Change">
      <p class="preview" role="status">
        {previewWords(count, wrong)}
      </p>
      <div class="preview-actions">
        <Button
          operates
          kind="primary"
          disabled={count === 0 || wrong > 0 || effect.value === null}
          onClick={() => void apply()}
        >
          Apply
        </Button>
        <Button disabled={count === 0 && wrong === 0} onClick={discard}>
          Discard
        </Button>
        <OperatorField />
      </div>
      <SettingChanges changed={changedFrom(settings.value, draft.value.changes)} />
    </Panel>
  );
}

function previewWords(count: number, wrong: number): string {
  if (wrong > 0) return `${counted(wrong, "value")} cannot be used.`;
  if (count === 0) return "Change a value to see here what it would do.";
  const head = `${counted(count, "setting")} changed`;
  return effect.value === null ? `${head} …` : `${head}: ${effectWords(effect.value, steps.value)}.`;
}
