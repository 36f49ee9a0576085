/** The views in order of the navigation. A view is one folder here and one line below. */
import type { ComponentType } from "preact";
import type { View } from "../state/route";
import { SessionView } from "./session/session_view";
import { SettingsView } from "./settings/settings_view";

export interface ViewEntry {
  view: View;
  title: string;
  component: ComponentType;
}

export const VIEW_ENTRIES: readonly ViewEntry[] = [
  { view: "session", title: "Session", component: SessionView },
  { view: "settings", title: "Settings", component: SettingsView },
];
