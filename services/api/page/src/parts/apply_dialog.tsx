/** Shows what a change of the session's settings would do, and makes it on request. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Sections, type SettingsEffect, settingsApi } from "../api/settings";
import { notify, notifyProblem } from "../state/notices";
import { signature } from "../state/preferences";
import { loadSettings, settings, steps } from "../state/settings";
import { Button, Empty } from "./controls";
import { Dialog } from "./dialog";
import { effectWords } from "./effect_words";
import { OperatorField } from "./operator_field";
import { SettingChanges } from "./setting_changes";
import { assignments, changedFrom } from "./setting_fields";

export interface ApplyDialogProps {
  patch: Sections;
  title?: string;
  /** The change in words; without it, each setting with its old and its new value. */
  children?: ComponentChildren;
  onApplied?: () => void;
  onClose: () => void;
}

export function ApplyDialog({
  patch,
  title = "Change the session's settings",
  children,
  onApplied,
  onClose,
}: ApplyDialogProps) {
  const [effect, setEffect] = useState<SettingsEffect | null>(null);
  const [sending, setSending] = useState(false);
  useEffect(() => {
    const preview = async () => {
      await loadSettings();
      setEffect(await settingsApi.preview(patch));
    };
    preview().catch((error) => {
      notifyProblem(error);
      onClose();
    });
  }, []);
  const apply = async () => {
    setSending(true);
    try {
      settings.value = await settingsApi.change(patch, signature());
      notify(`The session goes by ${assignments(patch).join(", ")}.`);
      onApplied?.();
      onClose();
    } catch (error) {
      notifyProblem(error);
      setSending(false);
    }
  };
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <>
          <OperatorField />
          <Button onClick={onClose}>Leave as it is</Button>
          <Button kind="primary" onClick={() => void apply()} disabled={effect === null || sending}>
            Apply
          </Button>
        </>
      }
    >
      {effect === null ? (
        <Empty>Counting what this changes.</Empty>
      ) : (
        <>
          {children ?? <SettingChanges changed={changedFrom(settings.value, patch)} />}
          <p>{effectWords(effect, steps.value)}.</p>
        </>
      )}
    </Dialog>
  );
}
