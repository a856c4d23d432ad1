/** What decoding throws, named as in Python. Every message says what was wrong and what to do. */

/** Base class of every error that is thrown on purpose. */
export class TfrnncError extends Error {
  override name: string = "TfrnncError";
}

/** The weights are damaged, or of another version. */
export class ModelError extends TfrnncError {
  override name = "ModelError";
}

/** A string cannot be decoded. */
export class StreamError extends TfrnncError {
  override name = "StreamError";
}

/** It is no string of base64url. */
export class ForeignStreamError extends StreamError {
  override name = "ForeignStreamError";
}

/** Its version is one that this decoder does not know. */
export class UnsupportedVersionError extends StreamError {
  override name = "UnsupportedVersionError";
}

/** It ends before the average colour does. */
export class TruncatedStreamError extends StreamError {
  override name = "TruncatedStreamError";
}

/** It is longer than any preview. */
export class CorruptStreamError extends StreamError {
  override name = "CorruptStreamError";
}
