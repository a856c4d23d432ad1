/** Starts LiteRT.js on the CPU. */

import { Environment, type LiteRt, loadLiteRt } from "@litertjs/core";
import { RuntimeFailure } from "../codec/errors";

let started: Promise<LiteRt> | undefined;

/**
 * Loads LiteRT's WASM. In a worker it must be a classic one: the loader calls `importScripts`.
 * @param wasm URL of the folder @litertjs/core/wasm, or of a script in it.
 * @param module more settings for the WASM module.
 * @throws RuntimeFailure if it cannot be loaded, or the browser cannot run it.
 */
export function startLiteRt(wasm: string, module: object = {}): Promise<LiteRt> {
  started ??= (async () => {
    // The loader makes an environment with WebGPU, which is not used here, and where there is none
    // it complains.
    const create = Environment.create.bind(Environment);
    Environment.create = (options) => create({ webGpuDevice: null, ...options });
    // The module looks for its WASM beside the worker, and logs to the console's errors.
    const locateFile = (name: string) => new URL(name, wasm).href;
    const defaults = { locateFile, print: console.debug, printErr: console.debug };
    Object.assign(globalThis, { Module: { ...defaults, ...module } });
    try {
      return await loadLiteRt(wasm);
    } catch (error) {
      if (error instanceof Error && error.name === "NetworkError") {
        throw new RuntimeFailure(`${wasm} cannot be loaded (${error}); check the connection`, {
          cause: error,
        });
      }
      throw new RuntimeFailure(`this browser cannot run LiteRT.js (${error}); try another one`, {
        cause: error,
      });
    }
  })();
  return started;
}
