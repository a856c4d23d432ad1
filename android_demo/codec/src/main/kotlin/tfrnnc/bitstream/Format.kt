package tfrnnc.bitstream

/**
 * The constants of the stream format, each of them once.
 *
 * They are those of `spec/format.json`, which all clients share; a test compares them. A decoder
 * that changes one reads other streams than those that exist.
 */
object Format {
    /** The first bytes of a stream, in ASCII. */
    const val MAGIC = "RN"

    /** The version of streams of an image as it is. */
    const val VERSION = 2

    /** The version of streams of a reduced image; their header says by how much. */
    const val DOWNSCALE_VERSION = 3

    /** The only downscale beside 1: half the width and half the height. */
    const val DOWNSCALE = 2

    /** The bits of the byte after the magic that hold the version; the others are flags. */
    const val VERSION_BITS = 0x0F
    const val ENTROPY_CODED = 0x10
    const val CHECKED = 0x20
    const val OPEN_END = 0x40
    const val ADAPTIVE = 0x80

    /** Bytes of the identity of a model. */
    const val MODEL_ID_BYTES = 4

    /** Longest side of an image, in pixels. */
    const val MAX_SIDE = Int.MAX_VALUE

    /** Most iterations that a header can hold. */
    const val MAX_ITERATIONS = 255

    /** A last iteration that is not whole counts from one in this many of its bits. */
    const val PARTIAL_SHARE = 8

    /** Most padded pixels that are encoded or decoded, unless the caller says otherwise. */
    const val MAX_PIXELS = 1L shl 25

    /** Most padded pixels times iterations, unless the caller says otherwise. */
    const val MAX_WORK = 1L shl 28

    /**
     * What enlarges a decoded picture by two: every second row, or column, of the result is this
     * sum of the four around it, times 2^-7. The others are the mirror image.
     */
    internal val ENLARGEMENT_TAPS = intArrayOf(-3, 29, 111, -9)

    /** Bits by which the sums over rows and columns are too large. */
    const val ENLARGEMENT_SHIFT = 14

    /** The most bits per pixel at which an encoder tries [DOWNSCALE] too, unless told. */
    const val DOWNSCALE_MAX_BPP = 0.5

    /** The shorter side in pixels from which on it does. */
    const val DOWNSCALE_LEAST_SIDE = 64

    /** A plane of more bits has a checksum of [LARGE_CHECKSUM_BYTES]. */
    const val SMALL_PLANE = 2048
    const val SMALL_CHECKSUM_BYTES = 1
    const val LARGE_CHECKSUM_BYTES = 4

    /** Probabilities are integers of this many bits. */
    const val PROBABILITY_BITS = 16

    /** The probability of a bit of which nothing is known. */
    const val EVEN = 1 shl 15

    /** Bytes of the numbers that the range coder holds. */
    const val RANGE_BYTES = 4

    /** Below this the range coder moves a byte out, or in. */
    const val RANGE_MIN = 1L shl 24
    const val INITIAL_RANGE = (1L shl 32) - 1

    /** A mask's probability goes this part of the way, 1 in 2^MASK_SHIFT, to what was seen. */
    const val MASK_SHIFT = 5

    /** None, one or both of the neighbours to the left and above go on. */
    const val MASK_CONTEXTS = 3

    /** The probability that a plane is stored as it is, because the model would make it grow. */
    const val STORED_PROBABILITY = 1024

    /** The first bytes of the file of an entropy model, in ASCII. */
    const val ENTROPY_MODEL_MAGIC = "RNNE"
    const val ENTROPY_MODEL_VERSION = 1

    /** The integer that is an activation or a bit of 1.0. */
    const val ACTIVATION_SCALE = 64
    const val ACTIVATION_MAX = 255

    /** The integer that is a weight of 1.0. */
    const val WEIGHT_SCALE = 128

    /** Sums of products stay below this, so that every client holds them exactly. */
    const val EXACT = 1L shl 24
    const val LOGIT_MIN = -128
    const val LOGIT_MAX = 127

    /** White as a float; black is its negative. */
    const val PIXEL_SCALE = 0.9

    /** Round(65536 / (1 + exp(-(i + 1/2) / 24))) for the logits i from 0 on, literally. */
    internal val UPPER_PROBABILITIES: List<Int> =
        """
        33109 33792 34473 35153 35831 36506 37178 37847 38511 39170 39824 40472 41114 41748 42376
        42996 43608 44212 44807 45393 45970 46537 47094 47641 48178 48704 49220 49725 50220 50703
        51176 51638 52089 52529 52957 53376 53783 54179 54565 54941 55306 55660 56005 56339 56663
        56978 57284 57579 57866 58144 58413 58673 58925 59168 59404 59632 59852 60064 60270 60468
        60659 60844 61022 61194 61360 61520 61675 61823 61966 62105 62238 62366 62489 62608 62722
        62832 62938 63040 63138 63233 63324 63411 63495 63576 63653 63728 63800 63869 63935 63999
        64061 64119 64176 64230 64283 64333 64381 64427 64472 64515 64556 64595 64633 64669 64704
        64738 64770 64801 64831 64859 64886 64913 64938 64962 64985 65008 65029 65050 65069 65088
        65106 65124 65141 65157 65172 65187 65201 65215
        """
            .trim()
            .split(Regex("\\s+"))
            .map(String::toInt)
}

/** The chance 1 as a probability. */
internal const val CERTAIN = 1 shl Format.PROBABILITY_BITS

/** Bytes of the checksum that follows a plane. */
internal fun checksumBytes(planeBits: Int): Int =
    if (planeBits <= Format.SMALL_PLANE) Format.SMALL_CHECKSUM_BYTES
    else Format.LARGE_CHECKSUM_BYTES
