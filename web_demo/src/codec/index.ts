/** The codec, without what runs the models: see ../litert for that. */

export { fromHex, toHex } from "./bytes";
export { Codec, type EncodeOptions, STATE_BUDGET, type StreamOptions } from "./codec";
export {
  type Header,
  MAX_PIXELS,
  type Planes,
  type ReadOptions,
  readHeader,
  readPlanes,
  StreamWriter,
} from "./container";
export { ENTROPY_MODEL_FILE, EntropyModel } from "./entropy_model";
export * from "./errors";
export { fromRgba, type Pixels, psnr, type Size, toRgba } from "./pixels";
export { type Plane, packPlane, unpackPlane } from "./plane";
export { type Encoded, ProgressiveEncoder } from "./progressive_encoder";
export { ProgressiveStream } from "./progressive_stream";
export type { Decoded, States, StepModels } from "./step_models";
