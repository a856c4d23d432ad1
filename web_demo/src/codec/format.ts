/**
 * The constants of the stream format, each of them once. They are those of `spec/format.json`, which
 * all clients share; a test compares them. A decoder that changes one reads other streams than those
 * that exist.
 */

/** The first bytes of a stream, in ASCII. */
export const MAGIC = "RN";
export const VERSION = 2;
/** Of streams whose image was reduced before it was encoded. */
export const DOWNSCALE_VERSION = 3;
/** What their `downscale` is: by how much the image was reduced, in width and height. */
export const DOWNSCALE = 2;
/** The bits of the byte after the magic that hold the version; the others are flags. */
export const VERSION_BITS = 0x0f;
export const ENTROPY_CODED = 0x10;
export const CHECKED = 0x20;
export const OPEN_END = 0x40;
export const ADAPTIVE = 0x80;
/** Bytes of the identity of a model. */
export const MODEL_ID_BYTES = 4;
/** Longest side of an image, in pixels. */
export const MAX_SIDE = 2 ** 31 - 1;
/** Most iterations that a header can hold. */
export const MAX_ITERATIONS = 255;
/** A last iteration that is not whole counts from one in this many of its bits. */
export const PARTIAL_SHARE = 8;

/** Most padded pixels that are encoded or decoded, unless the caller allows more. */
export const MAX_PIXELS = 2 ** 25;
/** Most padded pixels times iterations, unless the caller allows more. */
export const MAX_WORK = 2 ** 28;

/** Encoders try half the resolution up to this many bits per pixel of the picture that is shown, */
export const MAX_BPP = 0.5;
/** and from this many pixels on its shorter side. */
export const LEAST_SIDE = 64;

/** A plane of more bits has a checksum of `LARGE_CHECKSUM_BYTES`. */
export const SMALL_PLANE = 2048;
export const SMALL_CHECKSUM_BYTES = 1;
export const LARGE_CHECKSUM_BYTES = 4;

/** Probabilities are integers of this many bits. */
export const PROBABILITY_BITS = 16;
/** The probability of a bit of which nothing is known. */
export const EVEN = 2 ** 15;
/** Bytes of the numbers that the range coder holds. */
export const RANGE_BYTES = 4;
/** Below this the range coder moves a byte out, or in. */
export const RANGE_MIN = 2 ** 24;
export const INITIAL_RANGE = 2 ** 32 - 1;
/** A mask's probability goes this part of the way, 1 in 2^MASK_SHIFT, to what was seen. */
export const MASK_SHIFT = 5;
/** None, one or both of the neighbours to the left and above go on. */
export const MASK_CONTEXTS = 3;
/** The probability that a plane is stored as it is, because the model would make it grow. */
export const STORED_PROBABILITY = 1024;

/** The first bytes of the file of an entropy model, in ASCII. */
export const ENTROPY_MODEL_MAGIC = "RNNE";
export const ENTROPY_MODEL_VERSION = 1;
/** The integer that is an activation or a bit of 1.0. */
export const ACTIVATION_SCALE = 64;
export const ACTIVATION_MAX = 255;
/** The integer that is a weight of 1.0. */
export const WEIGHT_SCALE = 128;
/** Sums of products stay below this, so that every client holds them exactly. */
export const EXACT = 2 ** 24;
export const LOGIT_MIN = -128;
export const LOGIT_MAX = 127;

/** White as a float; black is its negative. Inside tanh's range. */
export const PIXEL_SCALE = 0.9;

/**
 * What enlarges a decoded picture by two, along each axis: how much of the pixels before a place and
 * after it go into a pixel of the picture that is shown. These are for the first of two; the second
 * one has them the other way round.
 */
export const ENLARGEMENT_TAPS = [-3, 29, 111, -9] as const;
/** Sums over both axes are divided by 2^ENLARGEMENT_SHIFT. */
export const ENLARGEMENT_SHIFT = 14;

/** Round(65536 / (1 + exp(-(i + 1/2) / 24))) for the logits i from 0 on, literally. */
// biome-ignore format: a table
export const UPPER_PROBABILITIES = [
  33109, 33792, 34473, 35153, 35831, 36506, 37178, 37847, 38511, 39170, 39824, 40472,
  41114, 41748, 42376, 42996, 43608, 44212, 44807, 45393, 45970, 46537, 47094, 47641,
  48178, 48704, 49220, 49725, 50220, 50703, 51176, 51638, 52089, 52529, 52957, 53376,
  53783, 54179, 54565, 54941, 55306, 55660, 56005, 56339, 56663, 56978, 57284, 57579,
  57866, 58144, 58413, 58673, 58925, 59168, 59404, 59632, 59852, 60064, 60270, 60468,
  60659, 60844, 61022, 61194, 61360, 61520, 61675, 61823, 61966, 62105, 62238, 62366,
  62489, 62608, 62722, 62832, 62938, 63040, 63138, 63233, 63324, 63411, 63495, 63576,
  63653, 63728, 63800, 63869, 63935, 63999, 64061, 64119, 64176, 64230, 64283, 64333,
  64381, 64427, 64472, 64515, 64556, 64595, 64633, 64669, 64704, 64738, 64770, 64801,
  64831, 64859, 64886, 64913, 64938, 64962, 64985, 65008, 65029, 65050, 65069, 65088,
  65106, 65124, 65141, 65157, 65172, 65187, 65201, 65215,
] as const;

/** The chance 1 as a probability. */
export const CERTAIN = 2 ** PROBABILITY_BITS;

/** Bytes of the checksum that follows a plane of this many bits. */
export function checksumBytes(planeBits: number): number {
  return planeBits <= SMALL_PLANE ? SMALL_CHECKSUM_BYTES : LARGE_CHECKSUM_BYTES;
}

/** The bytes of a text of ASCII. */
export function ascii(text: string): number[] {
  return Array.from(text, (letter) => letter.charCodeAt(0));
}
