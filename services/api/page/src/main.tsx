/** Starts the page. */
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style/index.css";
import { listenToKeys } from "./parts/keys";
import { Shell } from "./shell";
import { followTheme } from "./state/preferences";
import { followUrl } from "./state/route";
import { followScrolling } from "./state/scrolling";
import { startSync } from "./state/sync";

followTheme();
followScrolling();
followUrl();
listenToKeys();
startSync();
render(<Shell />, document.getElementById("page")!);
