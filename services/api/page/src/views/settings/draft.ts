/** The operator's edits of the settings, what these would do, the history of changes, and profiles. */
import { computed, signal } from "@preact/signals";
import { ProblemError } from "../../api/client";
import { type Profile, type Revision, type SettingsEffect, settingsApi } from "../../api/settings";
import { effectWords } from "../../parts/effect_words";
import { changesOf, same, settingIn, textOf } from "../../parts/setting_fields";
import { notify, notifyProblem } from "../../state/notices";
import { signature } from "../../state/preferences";
import { loadSettings, sections, settings, steps } from "../../state/settings";

const PREVIEW_AFTER_MS = 300;

export const history = signal<readonly Revision[]>([]);
export const profiles = signal<readonly Profile[]>([]);

/** Edited fields as text, by name. They last while the operator looks at other views. */
export const texts = signal<ReadonlyMap<string, string>>(new Map());

/** What the API has refused of the present edits, by name. */
export const refused = signal<ReadonlyMap<string, string>>(new Map());

/** What the present edits would do; null while that is not known. */
export const effect = signal<SettingsEffect | null>(null);

const fields = computed(() => sections.value.flatMap((section) => section.fields));
export const draft = computed(() => changesOf(fields.value, settings.value, texts.value));
export const changedCount = computed(() => Object.values(draft.value.changes).flatMap(Object.keys).length);

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
    settings.value = await settingsApi.change(draft.peek().changes, signature());
    notify(told ? `Settings changed: ${effectWords(told, steps.peek())}.` : "Settings changed.");
    discard();
    await loadHistory();
  } catch (error) {
    takeRefusal(error);
  }
}

/** Load what is in force, its history and the profiles. Throws ProblemError. */
export async function load(): Promise<void> {
  await loadSettings();
  previewSoon();
  await Promise.all([loadHistory(), loadProfiles()]);
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
    const current = settings.peek();
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
  await changeProfiles(() => settingsApi.saveProfile(name, signature()), `Saved as ${name}.`);
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
