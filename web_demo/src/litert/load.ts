/** Loads a codec from the files of an exported model. */

import { sha256 } from "@noble/hashes/sha2.js";
import { toHex } from "../codec/bytes";
import { Codec } from "../codec/codec";
import { ENTROPY_MODEL_FILE, EntropyModel } from "../codec/entropy_model";
import { ModelError } from "../codec/errors";
import { LiteRtRuntime, type WindowOptions } from "./litert_runtime";
import { parseManifest } from "./manifest";

/** Gives the content of a file in a model's folder; undefined if there is none. */
export type ReadFile = (name: string) => Promise<Uint8Array | undefined>;

/**
 * Loads a codec. `startLiteRt` must have been called.
 * @param read gives the folder's files, such as `filesAt(url)`.
 * @throws ModelError if a file is missing or not the one that the manifest describes.
 */
export async function loadCodec(read: ReadFile, options?: WindowOptions): Promise<Codec> {
  const text = await read("manifest.json");
  if (!text) throw new ModelError("manifest.json is missing; copy the folder of an exported model");
  const manifest = parseManifest(new TextDecoder().decode(text));
  const files = new Map<string, Uint8Array>();
  await Promise.all(
    [...manifest.encoders, ...manifest.decoders].map(async ({ name, sha256: expected }) => {
      const content = await read(name);
      if (!content) throw new ModelError(`${name} is missing; export the model again`);
      if (toHex(sha256(content)) !== expected) {
        throw new ModelError(
          `${name} is damaged, or not the file that manifest.json describes; load it again`,
        );
      }
      files.set(name, content);
    }),
  );
  const model = await read(ENTROPY_MODEL_FILE);
  const runtime = new LiteRtRuntime(manifest, files, options);
  return new Codec(runtime, model && new EntropyModel(model));
}

/** The files below a URL. */
export function filesAt(url: string | URL): ReadFile {
  const base = String(url).replace(/\/?$/, "/");
  return async (name) => {
    let response: Response;
    try {
      response = await fetch(base + name);
    } catch (error) {
      throw new ModelError(`${base}${name} cannot be loaded (${error}); check the connection`);
    }
    if (response.status === 404) return undefined;
    if (!response.ok) {
      throw new ModelError(`${base}${name} cannot be loaded (status ${response.status})`);
    }
    return new Uint8Array(await response.arrayBuffer());
  };
}
