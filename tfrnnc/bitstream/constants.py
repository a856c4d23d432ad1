"""The numbers of the stream format, once. `spec/format.json` holds them for every language."""

from __future__ import annotations

from enum import IntFlag

MAGIC = b"RN"
VERSION = 2  #: of streams of an image as it is
DOWNSCALE_VERSION = 3  #: of streams of a reduced image; their header says by how much
VERSIONS = (VERSION, DOWNSCALE_VERSION)
DOWNSCALE = 2  #: the only one above 1: half the width and half the height
ID_BYTES = 4  #: of the identity of a model
MAX_SIDE = 2**31 - 1  #: of an image, in pixels
MAX_ITERATIONS = 255
PARTIAL_SHARE = 8  #: a last iteration that is not whole counts from one in this many of its bits


class Flag(IntFlag):
    """What the upper half of the byte after the magic says."""

    ENTROPY_CODED = 0x10
    CHECKED = 0x20
    OPEN_END = 0x40
    ADAPTIVE = 0x80


VERSION_BITS = 0x0F  #: the lower half of that byte

#: Most pixels of an image, padded to the model's stride, unless the caller allows more.
MAX_PIXELS = 2**25
#: Most padded pixels times iterations, unless the caller allows more: 10 iterations of 26 million.
MAX_WORK = 2**28

#: Every second row or column of an enlarged picture is this sum of the four around it, times 2^-7.
#: The others are the mirror image.
ENLARGEMENT_TAPS = (-3, 29, 111, -9)
ENLARGEMENT_SHIFT = 14  #: of sums of rows and columns

SMALL_PLANE = 2048  #: bits; larger planes are followed by a longer checksum
SMALL_CHECKSUM_BYTES = 1
LARGE_CHECKSUM_BYTES = 4

PROBABILITY_BITS = 16
CERTAIN = 1 << PROBABILITY_BITS  #: stands for a probability of 1
EVEN = CERTAIN // 2  #: the probability of a bit of which nothing is known
RANGE_BYTES = 4  #: of the numbers that the range coder holds
RANGE_MASK = (1 << 8 * RANGE_BYTES) - 1
RANGE_MIN = 1 << 24  #: below this the range coder moves a byte out, or in
STORED = 1024  #: the probability that a plane is stored, because the entropy model makes it grow
MASK_SHIFT = 5  #: a mask's probability goes 1 in 2^MASK_SHIFT of the way to what was seen

ENTROPY_MODEL_MAGIC = b"RNNE"
ENTROPY_MODEL_VERSION = 1
ACTIVATION_SCALE = 64  #: an activation or bit of 1.0 is this integer
ACTIVATION_MAX = 255
WEIGHT_SCALE = 128  #: a weight of 1.0 is this integer
WEIGHT_MAX = 127
EXACT = 1 << 24  #: sums of integers below this are exact in float32
LOGIT_MIN, LOGIT_MAX = -128, 127
LOGITS_PER_UNIT = 24  #: a logit of 1.0 is this integer
