/** What `manifest.json` says of exported models; docs/DEPLOYMENT.md describes it. */

import { ModelError } from "../codec/errors";

/** A tensor of shape (1, height / stride, width / stride, channels). */
export interface Tensor {
  readonly name: string;
  readonly channels: number;
  readonly stride: number;
}

/** One iteration of the encoder or the decoder. */
export interface IterationFile {
  readonly name: string;
  readonly size_bytes: number;
  readonly sha256: string;
  /** How far in pixels outputs change beside a cut through the inputs. */
  readonly margin: number;
  /** The first one is the residual or the bits, the others are states. */
  readonly inputs: readonly Tensor[];
  /** The first one is the logits or the prediction, the others are states. */
  readonly outputs: readonly Tensor[];
}

export interface Manifest {
  readonly model_id: string;
  readonly reconstruction: "additive" | "one_shot";
  readonly stride: number;
  readonly bits: number;
  readonly iterations: number;
  /** Height and width in pixels that the files are made for. */
  readonly size: readonly [number, number];
  readonly encoders: readonly IterationFile[];
  readonly decoders: readonly IterationFile[];
}

/**
 * Reads the text of a manifest.
 * @throws ModelError if it is not one, or one of files without a size, which browsers cannot run.
 */
export function parseManifest(text: string): Manifest {
  let manifest: Partial<Manifest> | null;
  try {
    manifest = JSON.parse(text);
  } catch {
    throw new ModelError("manifest.json is not JSON; export the model again");
  }
  const wrong = (what: string) =>
    new ModelError(`manifest.json: ${what}; export the model again (tfrnnc-export --size HxW)`);
  if (!manifest || !/^[0-9a-f]{8}$/.test(manifest.model_id ?? "")) throw wrong("no model_id");
  for (const name of ["stride", "bits", "iterations"] as const) {
    const value = manifest[name];
    if (!(Number.isInteger(value) && Number(value) > 0)) throw wrong(`no ${name}`);
  }
  if (manifest.reconstruction !== "additive" && manifest.reconstruction !== "one_shot") {
    throw wrong("no reconstruction");
  }
  const { size } = manifest;
  if (!(Array.isArray(size) && size.length === 2 && size.every((side) => side > 0))) {
    throw wrong("its files have no fixed size, as browsers need it");
  }
  for (const kind of ["encoders", "decoders"] as const) {
    const files = manifest[kind];
    if (!(Array.isArray(files) && files.length > 0 && files.every(isIterationFile))) {
      throw wrong(`no ${kind}`);
    }
  }
  return manifest as Manifest;
}

function isIterationFile(file: Partial<IterationFile> | null): boolean {
  return (
    typeof file?.name === "string" &&
    typeof file.sha256 === "string" &&
    Number.isInteger(file.margin) &&
    [file.inputs, file.outputs].every(
      (tensors) =>
        Array.isArray(tensors) &&
        tensors.length > 0 &&
        tensors.every(({ name, channels, stride }) => name && channels > 0 && stride > 0),
    )
  );
}
