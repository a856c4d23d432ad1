// Builds the package in dist/, and the example page in site/.
import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const OPTIONS = {
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  loader: { ".bin": "base64" },
  logLevel: "warning",
};

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
for (const folder of ["dist", "site"]) rmSync(folder, { recursive: true, force: true });
await build({
  ...OPTIONS,
  entryPoints: ["src/index.ts", "src/weights.ts", "src/element.ts"],
  // The package's own files load each other; none is in two of them.
  external: ["./index.js", "./weights.js"],
  outdir: "dist",
});
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.types.json"], {
  stdio: "inherit",
});
cpSync("../tfrnnc/presets/preview/decoder.bin", "dist/decoder.bin");
cpSync("../LICENSE", "LICENSE");

await build({ ...OPTIONS, entryPoints: ["example/main.ts"], outdir: "site" });
for (const name of ["index.html", "style.css"]) cpSync(`example/${name}`, `site/${name}`);
cpSync("../web_demo/src/page/icon.svg", "site/icon.svg");
cpSync("../examples/photos", "site", { recursive: true });
