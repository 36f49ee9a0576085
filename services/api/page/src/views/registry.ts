/** The views in order of the navigation. A view is one folder here and one line below. */
import type { ComponentType } from "preact";
import type { View } from "../state/route";
import { AlarmsView } from "./alarms/alarms_view";
import { AuditView } from "./audit/audit_view";
import { ExportsView } from "./exports/exports_view";
import { FailuresView } from "./failures/failures_view";
import { LogsView } from "./logs/logs_view";
import { MoviesEntry } from "./movies/movies_entry";
import { PlotsView } from "./plots/plots_view";
import { SessionView } from "./session/session_view";
import { SettingsView } from "./settings/settings_view";
import { SquaresView } from "./squares/squares_view";
import { WorkersView } from "./workers/workers_view";

export interface ViewEntry {
  view: View;
  title: string;
  component: ComponentType;
}

export const VIEW_ENTRIES: readonly ViewEntry[] = [
  { view: "session", title: "Session", component: SessionView },
  { view: "plots", title: "Plots", component: PlotsView },
  { view: "movies", title: "Movies", component: MoviesEntry },
  { view: "settings", title: "Settings", component: SettingsView },
  { view: "workers", title: "Workers", component: WorkersView },
  { view: "failures", title: "Failures", component: FailuresView },
  { view: "exports", title: "Exports", component: ExportsView },
  { view: "alarms", title: "Alarms", component: AlarmsView },
  { view: "logs", title: "Logs", component: LogsView },
  { view: "squares", title: "Squares", component: SquaresView },
  { view: "audit", title: "Audit", component: AuditView },
];
