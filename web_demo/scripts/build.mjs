// Builds the static page in dist/: scripts, LiteRT's WASM files, and a model of export/.
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const MODEL = "../export/conv_lstm_medium/small_256x256";
const WASM = "node_modules/@litertjs/core/wasm";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");
await build({
  // Classic scripts: LiteRT.js loads its WASM with importScripts, which modules do not have.
  entryPoints: { main: "src/page/main.ts", worker: "src/worker/worker.ts" },
  outdir: "dist",
  bundle: true,
  format: "iife",
  target: "es2022",
  minify: true,
  sourcemap: true,
  logLevel: "warning",
});
for (const name of ["index.html", "style.css", "icon.svg"])
  cpSync(`src/page/${name}`, `dist/${name}`);
for (const name of ["litert_wasm_internal", "litert_wasm_compat_internal"]) {
  for (const ending of ["js", "wasm"])
    cpSync(`${WASM}/${name}.${ending}`, `dist/wasm/${name}.${ending}`);
}
cpSync(MODEL, "dist/model", {
  recursive: true,
  filter: (path) => !path.includes("golden") && !path.endsWith(".md"),
});
cpSync("../examples/photos/chelsea.png", "dist/example.png");
