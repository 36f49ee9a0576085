/** The settings as the page knows them, the operator's edits of them, and what these edits would do. */
import { computed, signal } from "@preact/signals";
import { ProblemError } from "../../api/client";
import {
  type Profile,
  type Revision,
  type Sections,
  type SettingsEffect,
  type SettingsSchema,
  settingsApi,
} from "../../api/settings";
import { effectWords } from "../../parts/effect_words";
import { changesOf, same, sectionsOf, settingIn, textOf } from "../../parts/setting_fields";
import { stepSections } from "../../parts/step_sections";
import { notify, notifyProblem } from "../../state/notices";
import { operator } from "../../state/preferences";

const PREVIEW_AFTER_MS = 300;

export const schema = signal<SettingsSchema | null>(null);
export const settings = signal<Sections | null>(null);
export const history = signal<readonly Revision[]>([]);
export const profiles = signal<readonly Profile[]>([]);

/** Edited fields as text, by name. They last while the operator looks at other views. */
export const texts = signal<ReadonlyMap<string, string>>(new Map());

/** What the API has refused of the present edits, by name. */
export const refused = signal<ReadonlyMap<string, string>>(new Map());

/** What the present edits would do; null while that is not known. */
export const effect = signal<SettingsEffect | null>(null);

export const sections = computed(() => (schema.value ? sectionsOf(schema.value) : []));
const fields = computed(() => sections.value.flatMap((section) => section.fields));
export const draft = computed(() => changesOf(fields.value, settings.value ?? {}, texts.value));
export const changedCount = computed(() => Object.values(draft.value.changes).flatMap(Object.keys).length);

/** The sentence of a preview. */
export function inWords(effect: SettingsEffect): string {
  const steps = schema.value === null ? [] : stepSections(schema.value).map(({ name }) => name);
  return effectWords(effect, steps);
}

let timer = 0;
let asked = 0;

/** Edit fields: their texts by name. What was typed before for others stays. */
export function edit(changes: Iterable<readonly [string, string]>): void {
  texts.value = new Map([...texts.peek(), ...changes]);
  previewSoon();
}

export function discard(): void {
  texts.value = new Map();
  previewSoon();
}

function previewSoon(): void {
  clearTimeout(timer);
  asked++;
  effect.value = null;
  refused.value = new Map();
  if (changedCount.peek() > 0 && draft.peek().problems.size === 0) {
    timer = window.setTimeout(() => void preview(), PREVIEW_AFTER_MS);
  }
}

async function preview(): Promise<void> {
  const mine = asked;
  try {
    const found = await settingsApi.preview(draft.peek().changes);
    if (mine === asked) effect.value = found;
  } catch (error) {
    if (mine === asked) takeRefusal(error);
  }
}

function takeRefusal(error: unknown): void {
  if (error instanceof ProblemError && error.faults.length > 0) refused.value = error.byName;
  else notifyProblem(error);
}

/** Put the edits in force. */
export async function apply(): Promise<void> {
  const told = effect.peek();
  try {
    settings.value = await settingsApi.change(draft.peek().changes, operator.peek());
    notify(told ? `Settings changed: ${inWords(told)}.` : "Settings changed.");
    discard();
    await loadHistory();
  } catch (error) {
    takeRefusal(error);
  }
}

/** Load what is in force, its history and the profiles; also when someone else has changed it. */
export async function load(): Promise<void> {
  await loadSettings();
  await whereItAnswers(() => Promise.all([loadHistory(), loadProfiles()]));
}

/** Load the schema and what is in force. */
export async function loadSettings(): Promise<void> {
  await whereItAnswers(async () => {
    schema.value ??= await settingsApi.schema();
    settings.value = await settingsApi.current();
    previewSoon();
  });
}

/** A lost connection is told by the shell's line; the view asks again when the connection is back. */
async function whereItAnswers(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ProblemError && error.passing)) notifyProblem(error);
  }
}

async function loadHistory(): Promise<void> {
  history.value = await settingsApi.history();
}

async function loadProfiles(): Promise<void> {
  profiles.value = await settingsApi.profiles();
}

/** Edit the fields so that they are as a profile says; nothing is in force before Apply. */
export async function takeProfile(name: string): Promise<void> {
  try {
    const { settings: wanted } = await settingsApi.profile(name);
    const current = settings.peek() ?? {};
    const differing = fields
      .peek()
      .filter((field) => settingIn(wanted, field.name) !== undefined)
      .filter((field) => !same(settingIn(wanted, field.name), settingIn(current, field.name)));
    texts.value = new Map(differing.map((field) => [field.name, textOf(settingIn(wanted, field.name))]));
    previewSoon();
    if (differing.length === 0) notify(`The settings are those of ${name} already.`);
  } catch (error) {
    notifyProblem(error);
  }
}

/** Keep the settings in force under a name, or forget a name. */
export async function saveProfile(name: string): Promise<void> {
  await changeProfiles(() => settingsApi.saveProfile(name, operator.peek()), `Saved as ${name}.`);
}

export async function deleteProfile(name: string): Promise<void> {
  await changeProfiles(() => settingsApi.deleteProfile(name), `Forgot ${name}.`);
}

async function changeProfiles(request: () => Promise<unknown>, text: string): Promise<void> {
  try {
    await request();
    await loadProfiles();
    notify(text);
  } catch (error) {
    notifyProblem(error);
  }
}
