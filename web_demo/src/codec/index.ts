/** The codec, without what runs the models: see ../litert for that. */

export { fromHex, toHex } from "./bytes";
export { ChoosingEncoder, type Downscale } from "./choosing_encoder";
export { Codec, type EncodeOptions, STATE_BUDGET, type StreamOptions } from "./codec";
export { ENTROPY_MODEL_FILE, EntropyModel } from "./entropy_model";
export * from "./errors";
export { MAX_PIXELS, MAX_WORK } from "./format";
export { type Header, readHeader } from "./header";
export { NO_LIMITS, type WorkLimits } from "./limits";
export { fromRgba, type Pixels, psnr, type Size, toRgba } from "./pixels";
export { type Plane, packPlane } from "./plane";
export type { Encoded } from "./progressive_encoder";
export { ProgressiveStream } from "./progressive_stream";
export type { Decoded, Runtime, States } from "./runtime";
export { type Planes, type ReadOptions, readPlanes } from "./stream_reader";
export { type StreamSpec, StreamWriter } from "./stream_writer";
