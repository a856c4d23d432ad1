/** LiteRT.js in Node, which its loader is not made for: it asks for a script and fetches WASM. */

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { runInThisContext } from "node:vm";
import type { Codec } from "../src/codec";
import type { WindowOptions } from "../src/litert/litert_runtime";
import { loadCodec } from "../src/litert/load";
import { startLiteRt } from "../src/litert/start";

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

/**
 * The codec of an exported model. The process must run in web_demo/.
 * @param folder with its manifest.
 */
export async function codecOfFolder(folder: string, options?: WindowOptions): Promise<Codec> {
  await startInNode();
  const read = async (name: string) => {
    const path = join(folder, name);
    return existsSync(path) ? new Uint8Array(readFileSync(path)) : undefined;
  };
  return loadCodec(read, options);
}
