// Bundles the page into dist/: index.html and the files that it names, each with a hash of its content in its name.
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import * as esbuild from "esbuild";

const OUT = "dist";

const options = {
  entryPoints: { page: "src/main.tsx", icon: "src/icon.svg" },
  outdir: OUT,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  loader: { ".svg": "copy" },
  legalComments: "eof",
  metafile: true,
  logLevel: "warning",
};

/** Writes the licences of the packages that are in the bundle, which each wants beside it; the file's name. */
async function writeLicences(metafile) {
  const folders = Object.keys(metafile.inputs).map((path) => /^node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  const texts = [];
  for (const folder of new Set(folders.filter(Boolean).sort())) {
    const { name, version } = JSON.parse(await readFile(`${folder}/package.json`, "utf8"));
    texts.push(`${name} ${version}\n\n${await readFile(`${folder}/LICENSE`, "utf8")}`);
  }
  const text = texts.join("\n\n");
  const file = `licences-${createHash("sha256").update(text).digest("hex").slice(0, 8)}.txt`;
  await writeFile(`${OUT}/${file}`, text);
  return file;
}

/** Writes index.html with the built files' names. It comes last: without it there is no page. */
async function writeIndex(metafile) {
  const files = Object.keys(metafile.outputs).map((path) => basename(path));
  const named = (prefix, suffix) => files.find((file) => file.startsWith(prefix) && file.endsWith(suffix));
  const html = (await readFile("src/index.html", "utf8"))
    .replace("page.css", named("page-", ".css"))
    .replace("page.js", named("page-", ".js"))
    .replace("icon.svg", named("icon-", ".svg"))
    .replace("licences.txt", await writeLicences(metafile));
  await writeFile(`${OUT}/index.html`, html);
}

const index = {
  name: "index",
  setup: (build) =>
    build.onEnd(async (result) => {
      if (result.errors.length === 0) await writeIndex(result.metafile);
    }),
};

await rm(OUT, { recursive: true, force: true });
await mkdir(OUT);
if (process.argv.includes("--watch")) {
  const context = await esbuild.context({ ...options, plugins: [index] });
  await context.watch();
} else {
  await esbuild.build({ ...options, plugins: [index] });
}
