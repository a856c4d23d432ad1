/** The weights within the script, for pages that would rather not load a file. */

import base64 from "../../tfrnnc/presets/preview/decoder.bin";
import { type PreviewWeights, readWeights } from "./index.js";

/** By the method of the array, which takes no time, where the browser has it. */
function fromBase64(text: string): Uint8Array {
  const { fromBase64 } = Uint8Array as { fromBase64?(text: string): Uint8Array };
  return fromBase64?.(text) ?? Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** What `decoder.bin` holds. */
export const weights: PreviewWeights = readWeights(fromBase64(base64));
