/** Every constant and table of this client against the file that all clients share. */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as format from "../src/codec/format";
import { probabilityOf } from "../src/codec/probabilities";
import { readJson } from "./repository";

/** What no client needs: it is of training, measures, and where the table comes from. */
const OTHERS = ["entropy_model.weight_max", "entropy_model.logits_per_unit", "pixels.block_size"];

const CONSTANTS: Record<string, unknown> = {
  "stream.magic": format.MAGIC,
  "stream.version": format.VERSION,
  "stream.downscale_version": format.DOWNSCALE_VERSION,
  "stream.downscale": format.DOWNSCALE,
  "stream.version_bits": format.VERSION_BITS,
  "stream.flags.entropy_coded": format.ENTROPY_CODED,
  "stream.flags.checked": format.CHECKED,
  "stream.flags.open_end": format.OPEN_END,
  "stream.flags.adaptive": format.ADAPTIVE,
  "stream.model_id_bytes": format.MODEL_ID_BYTES,
  "stream.max_side": format.MAX_SIDE,
  "stream.max_iterations": format.MAX_ITERATIONS,
  "stream.partial_share": format.PARTIAL_SHARE,
  "limits.max_pixels": format.MAX_PIXELS,
  "limits.max_work": format.MAX_WORK,
  "enlargement.taps": format.ENLARGEMENT_TAPS,
  "enlargement.shift": format.ENLARGEMENT_SHIFT,
  "downscale_choice.max_bpp": format.MAX_BPP,
  "downscale_choice.least_side": format.LEAST_SIDE,
  "checksum.small_plane_bits": format.SMALL_PLANE,
  "checksum.small_bytes": format.SMALL_CHECKSUM_BYTES,
  "checksum.large_bytes": format.LARGE_CHECKSUM_BYTES,
  "range_coder.probability_bits": format.PROBABILITY_BITS,
  "range_coder.even": format.EVEN,
  "range_coder.range_bytes": format.RANGE_BYTES,
  "range_coder.range_min": format.RANGE_MIN,
  "range_coder.initial_range": format.INITIAL_RANGE,
  "mask.shift": format.MASK_SHIFT,
  "mask.contexts": format.MASK_CONTEXTS,
  stored_probability: format.STORED_PROBABILITY,
  "entropy_model.magic": format.ENTROPY_MODEL_MAGIC,
  "entropy_model.version": format.ENTROPY_MODEL_VERSION,
  "entropy_model.activation_scale": format.ACTIVATION_SCALE,
  "entropy_model.activation_max": format.ACTIVATION_MAX,
  "entropy_model.weight_scale": format.WEIGHT_SCALE,
  "entropy_model.exact": format.EXACT,
  "entropy_model.logit_min": format.LOGIT_MIN,
  "entropy_model.logit_max": format.LOGIT_MAX,
  "entropy_model.probabilities": format.UPPER_PROBABILITIES,
  "pixels.scale": format.PIXEL_SCALE,
};

function flat(value: unknown, path = ""): [string, unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[path, value]];
  return Object.entries(value).flatMap(([name, inner]) =>
    flat(inner, path ? `${path}.${name}` : name),
  );
}

test("the constants are those of all clients", () => {
  const shared = flat(readJson("spec/format.json")).filter(([name]) => !OTHERS.includes(name));
  assert.deepEqual(CONSTANTS, Object.fromEntries(shared));
});

test("the table covers all logits, and falls with them", () => {
  for (let logit = format.LOGIT_MIN; logit <= format.LOGIT_MAX; logit++) {
    assert.equal(probabilityOf(logit) + probabilityOf(-1 - logit), format.CERTAIN);
  }
  assert.equal(probabilityOf(1000), probabilityOf(format.LOGIT_MAX));
  assert.equal(probabilityOf(-1000), probabilityOf(format.LOGIT_MIN));
});
