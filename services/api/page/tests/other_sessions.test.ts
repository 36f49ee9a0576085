/** Links to other sessions lead to the host by which this one was reached. */
import { expect, test } from "vitest";
import { pageOf } from "../src/other_sessions";

test("another session is at the same host name, at its own port", () => {
  expect(pageOf({ name: "krios2", port: 5001, isSecure: false }, "gpu1.lab.example")).toBe(
    "http://gpu1.lab.example:5001/",
  );
  expect(pageOf({ name: "krios2", port: 5001, isSecure: true }, "[::1]")).toBe("https://[::1]:5001/");
});
