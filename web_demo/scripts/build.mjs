// Builds the static page in dist/: scripts, LiteRT's WASM files, a model of export/, and the example
// that the page opens with.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { MODEL } from "./model.mjs";

const WASM = "node_modules/@litertjs/core/wasm";
const WASM_FILES = ["litert_wasm_internal", "litert_wasm_compat_internal"].flatMap((name) =>
  ["js", "wasm"].map((ending) => `${name}.${ending}`),
);
const PHOTO = "../examples/photos/chelsea.png";
const EXAMPLE_FILES = ["example.json", "original.png", "start.png", "start.rnnc", "whole.rnnc"];
const PAGE_FILES = ["style.css", "icon.svg"];

/** Copies files into a folder that is named after their content; returns its path in dist/. */
function copyHashed(names, from, to) {
  const hash = createHash("sha256");
  for (const name of names) hash.update(`${name}\n`).update(readFileSync(`${from}/${name}`));
  const folder = `${to}/${hash.digest("hex").slice(0, 8)}/`;
  for (const name of names) cpSync(`${from}/${name}`, `dist/${folder}${name}`);
  return folder;
}

/** The page with its link to the project, or without where its address is not known. */
function pageOf(template, url) {
  if (!url) console.warn("PROJECT_URL is not set, so the page has no link to the project");
  const link = /[ ]*<a id="home".*<\/a>\n/;
  return url ? template.replace("PROJECT_URL", url) : template.replace(link, "");
}

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");
const modelFiles = readdirSync(MODEL).filter((name) => /\.(json|tflite|bin)$/.test(name));
const model = copyHashed(modelFiles, MODEL, "model");
const wasm = copyHashed(WASM_FILES, WASM, "wasm");

const maker = "dist/make_example.mjs";
await build({
  entryPoints: ["scripts/make_example.ts"],
  outfile: maker,
  bundle: true,
  packages: "external",
  platform: "node",
  format: "esm",
  logLevel: "warning",
});
execFileSync(process.execPath, [maker, PHOTO, MODEL, "dist/example"], { stdio: "inherit" });
rmSync(maker);

const kept = ["./", "main.js", "worker.js", ...PAGE_FILES];
await build({
  // Classic scripts: LiteRT.js loads its WASM with importScripts, which modules do not have.
  entryPoints: {
    main: "src/page/main.ts",
    worker: "src/worker/worker.ts",
    service_worker: "src/offline/service_worker.ts",
  },
  define: {
    MODEL_FOLDER: JSON.stringify(model),
    WASM_FOLDER: JSON.stringify(wasm),
    PAGE_FILES: JSON.stringify([...kept, ...EXAMPLE_FILES.map((name) => `example/${name}`)]),
  },
  outdir: "dist",
  bundle: true,
  format: "iife",
  target: "es2022",
  minify: true,
  sourcemap: true,
  logLevel: "warning",
});
for (const name of PAGE_FILES) cpSync(`src/page/${name}`, `dist/${name}`);
writeFileSync(
  "dist/index.html",
  pageOf(readFileSync("src/page/index.html", "utf8"), process.env.PROJECT_URL),
);
