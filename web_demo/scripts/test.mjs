// Bundles the tests and runs them with Node's own runner: those of the codec, or with --browser
// those of the page. Other arguments are names of test files without their ending.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const browser = process.argv.includes("--browser");
const named = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const files = readdirSync("tests", { recursive: true })
  .filter((name) => name.endsWith(".test.ts") && name.startsWith("browser") === browser)
  .filter((name) => named.length === 0 || named.includes(basename(name, ".test.ts")))
  .map((name) => `tests/${name}`);
if (files.length === 0) throw new Error(`no tests are called ${named.join(", ")}`);
const outdir = "test-output/bundles";
rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: files,
  outdir,
  outbase: "tests",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  packages: "external",
  platform: "node",
  format: "esm",
  sourcemap: "inline",
  logLevel: "warning",
});
const bundles = readdirSync(outdir, { recursive: true })
  .filter((name) => name.endsWith(".test.mjs"))
  .map((name) => `${outdir}/${name}`);
if (bundles.length !== files.length || !bundles.every(existsSync))
  throw new Error("tests are lost");
const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...bundles], {
  stdio: "inherit",
});
process.exit(status ?? 1);
