/** The operator's edits of the settings, what these would do, the history of changes, and profiles. */

import { computed, signal } from "@preact/signals";
import { ProblemError } from "../../api/client";
import { type Profile, type Revision, type SettingsEffect, settingsApi } from "../../api/settings";
import { effectWords } from "../../parts/effect_words";
import { changesOf, same, settingIn, textOf } from "../../parts/setting_fields";
import { mayOperate } from "../../state/access";
import { act, notify, notifyProblem } from "../../state/notices";
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
  editTo(new Map([...texts.peek(), ...changes]));
}

export function discard(): void {
  editTo(new Map());
}

function editTo(edited: ReadonlyMap<string, string>): void {
  texts.value = edited;
  effect.value = null;
  refused.value = new Map();
  previewSoon();
}

/** Ask what the present edits would do. What is known of them stays until the answer is there: Apply would be
 * disabled below the pointer otherwise, each time that the session's settings are read again.
 */
function previewSoon(): void {
  clearTimeout(timer);
  asked++;
  if (mayOperate.peek() && changedCount.peek() > 0 && draft.peek().problems.size === 0) {
    timer = window.setTimeout(() => void preview(), PREVIEW_AFTER_MS);
  }
}

async function preview(): Promise<void> {
  const mine = asked;
  try {
    const found = await settingsApi.preview(draft.peek().changes);
    if (mine !== asked) return;
    effect.value = found;
    refused.value = new Map();
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
export function takeProfile(name: string): Promise<void> {
  return act(settingsApi.profile(name), ({ settings: wanted }) => {
    const current = settings.peek();
    const differing = fields
      .peek()
      .filter((field) => settingIn(wanted, field.name) !== undefined)
      .filter((field) => !same(settingIn(wanted, field.name), settingIn(current, field.name)));
    editTo(new Map(differing.map((field) => [field.name, textOf(settingIn(wanted, field.name))])));
    if (differing.length === 0) notify(`The settings are those of ${name} already.`);
  });
}

/** Keep the settings in force under a name, or forget a name. */
export function saveProfile(name: string): Promise<void> {
  return changeProfiles(settingsApi.saveProfile(name, signature()), `Saved as ${name}.`);
}

export function deleteProfile(name: string): Promise<void> {
  return changeProfiles(settingsApi.deleteProfile(name), `Forgot ${name}.`);
}

function changeProfiles(changing: Promise<unknown>, text: string): Promise<void> {
  return act(changing, async () => {
    await loadProfiles();
    notify(text);
  });
}
