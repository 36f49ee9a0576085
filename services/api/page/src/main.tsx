/** Starts the page. */
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style/index.css";
import { followSignInLinks, signInByLink } from "./api/sign_in";
import { listenToKeys } from "./parts/keys";
import { Shell } from "./shell";
import { signedOut } from "./state/access";
import { followTheme } from "./state/preferences";
import { followUrl } from "./state/route";
import { followScrolling } from "./state/scrolling";
import { startSync } from "./state/sync";

followTheme();
followScrolling();
const signing = signInByLink(); // before anything else reads the address: it may hold a code
followSignInLinks();
followUrl();
listenToKeys();
await signing;
if (!signedOut.value) startSync(); // after signing in the page is loaded anew
render(<Shell />, document.getElementById("page")!);
