import { expect, it } from "vitest";
import { hrefOf, parseRoute } from "../src/state/route";

it.each(["grid1/a b", "x?y#z", "ä/%41"])("finds the movie %s again that a link names", (name) => {
  const route = parseRoute(hrefOf("movies", name, { colour: "status" }));
  expect(route.view).toBe("movies");
  expect(route.subject).toBe(name);
  expect(route.query.get("colour")).toBe("status");
});

it("keeps the slashes of a name readable", () => {
  expect(hrefOf("movies", "grid1/a")).toBe("#/movies/grid1/a");
});

it.each(["", "#", "#/", "#/nonsense/x", "#/session"])("shows the session for %j", (fragment) => {
  expect(parseRoute(fragment).view).toBe("session");
});

it("survives a fragment that is no valid escape", () => {
  expect(parseRoute("#/movies/%zz").subject).toBe("%zz");
});
