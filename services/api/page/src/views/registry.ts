/** The views in order of the navigation. A view is one folder here and one line below. */
import type { ComponentType } from "preact";
import type { View } from "../state/route";
import { MoviesEntry } from "./movies/movies_entry";
import { PlotsView } from "./plots/plots_view";
import { SessionView } from "./session/session_view";

export interface ViewEntry {
  view: View;
  title: string;
  component: ComponentType;
}

export const VIEW_ENTRIES: readonly ViewEntry[] = [
  { view: "session", title: "Session", component: SessionView },
  { view: "plots", title: "Plots", component: PlotsView },
  { view: "movies", title: "Movies", component: MoviesEntry },
];
