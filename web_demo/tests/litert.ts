/** LiteRT.js in Node, which its loader is not made for: it asks for a script and fetches WASM. */

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { runInThisContext } from "node:vm";
import type { Codec } from "../src/codec";
import type { WindowOptions } from "../src/litert/litert_runtime";
import { loadCodec } from "../src/litert/load";
import { startLiteRt } from "../src/litert/start";
import { type ExportedFolder, REPOSITORY, readBytes } from "./repository";

const WASM = "node_modules/@litertjs/core/wasm";
// Without relaxed SIMD, which Node 20 does not have.
const SCRIPT = join(process.cwd(), WASM, "litert_wasm_compat_internal.js");

/** Loads LiteRT once. */
function startInNode(): Promise<unknown> {
  Object.assign(globalThis, {
    self: globalThis,
    require: createRequire(SCRIPT),
    __filename: SCRIPT,
    __dirname: dirname(SCRIPT),
    importScripts: (path: string) => runInThisContext(readFileSync(path, "utf8")),
  });
  const wasmBinary = readFileSync(SCRIPT.replace(/\.js$/, ".wasm"));
  const quiet = { print: () => {}, printErr: () => {} };
  return startLiteRt(SCRIPT, { ...quiet, wasmBinary, locateFile: (name: string) => name });
}

/** The codec of a folder in export/. */
export async function exportedCodec(
  { path }: ExportedFolder,
  options?: WindowOptions,
): Promise<Codec> {
  await startInNode();
  const read = async (name: string) =>
    existsSync(join(REPOSITORY, ...path, name)) ? readBytes(...path, name) : undefined;
  return loadCodec(read, options);
}
