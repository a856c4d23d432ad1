// Bundles the tests and runs them with Node's own runner: those of the package, or with --browser
// those in Chromium.
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const browser = process.argv.includes("--browser");
const names = readdirSync("tests")
  .filter((name) => name.endsWith(".test.ts") && name.startsWith("browser") === browser)
  .map((name) => name.slice(0, -".ts".length));
const outdir = "test-output/bundles";
rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: names.map((name) => `tests/${name}.ts`),
  outdir,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  packages: "external",
  platform: "node",
  format: "esm",
  loader: { ".bin": "base64" },
  sourcemap: "inline",
  logLevel: "warning",
});
const bundles = names.map((name) => `${outdir}/${name}.mjs`);
const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...bundles], {
  stdio: "inherit",
});
process.exit(status ?? 1);
