import { defineConfig } from "vitest/config";

export default defineConfig({
  // Pure functions: a process for each file would take four times as long as their tests.
  test: { include: ["tests/**/*.test.ts"], isolate: false },
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
});
