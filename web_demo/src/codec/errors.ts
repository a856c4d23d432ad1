/** What the codec throws. Every message says what was wrong and what to do. */

/** Base class of every error that the codec throws on purpose. */
export class TfrnncError extends Error {
  override name: string = "TfrnncError";
}

/** An argument is not usable. */
export class ConfigError extends TfrnncError {
  override name = "ConfigError";
}

/** An image cannot be read, or is of a kind that the codec does not take. */
export class ImageError extends TfrnncError {
  override name = "ImageError";
}

/** A model is missing, or its files are damaged or do not fit together. */
export class ModelError extends TfrnncError {
  override name = "ModelError";
}

/** A model cannot be run, for want of memory or of a browser that is able to. */
export class RuntimeFailure extends TfrnncError {
  override name = "RuntimeFailure";
}

/** A compressed stream cannot be decoded. */
export class StreamError extends TfrnncError {
  override name = "StreamError";
}

/** The bytes are not a tfrnnc stream. */
export class ForeignStreamError extends StreamError {
  override name = "ForeignStreamError";
}

/** The stream is of a version, or has flags, that this decoder does not know. */
export class UnsupportedVersionError extends StreamError {
  override name = "UnsupportedVersionError";
}

/** The stream ends before the iterations that its header promises, or that were asked for. */
export class TruncatedStreamError extends StreamError {
  override name = "TruncatedStreamError";

  /** @param wholeIterations how many iterations can be decoded; 0 where not even the header is whole. */
  constructor(
    message: string,
    readonly wholeIterations = 0,
  ) {
    super(message);
  }
}

/** The stream contradicts itself. */
export class CorruptStreamError extends StreamError {
  override name = "CorruptStreamError";
}

/** The stream is of an image with more pixels than the caller allows. */
export class TooLargeError extends StreamError {
  override name = "TooLargeError";
}

/** The stream was made by another model than the one that decodes it. */
export class WrongModelError extends StreamError {
  override name = "WrongModelError";
}
