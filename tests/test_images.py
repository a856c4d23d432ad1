import io
import re
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from helpers.hostile_images import (
    FAULT,
    damaged_tiff,
    large_tile,
    many_scans,
    reaches_libtiff,
)
from make_wide_gamut import colours, gamma_tag, wide_gamut_profile
from tfrnnc.cicp import D50, icc_profile, xyz_tag
from tfrnnc.errors import ImageError, TfrnncError, TooLargeError
from tfrnnc.images import (
    EXTENSIONS,
    FORMATS,
    MAX_SCANS,
    as_rgb,
    find_images,
    read_image,
    to_float,
    to_uint8,
)
from tfrnnc.libtiff import libtiff_errors

LEVELS = np.arange(256, dtype=np.uint8)
ORIENTATION, SOFTWARE, X_RESOLUTION, GPS = 0x0112, 0x0131, 0x011A, 0x8825
BYTE, TEXT, SHORT, LONG, RATIONAL = 1, 2, 3, 4, 5
# Those that this build of Pillow can write.
WRITABLE = sorted(
    extension
    for extension in EXTENSIONS
    if Image.registered_extensions().get(extension) in Image.SAVE
)


def random_pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def saved(image, path, **options):
    image.save(path, **options)
    return path


def exif_block(*entries):
    """An EXIF block of (tag, type, count, value): four bytes, or more that are stored apart."""
    directory, apart = b"", b""
    end = 8 + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in sorted(entries):
        if len(value) > 4:
            value, apart = struct.pack(">I", end + len(apart)), apart + value
        directory += struct.pack(">HHI", tag, kind, count) + value.ljust(4, b"\0")
    return (
        b"Exif\0\0MM\0*"
        + struct.pack(">IH", 8, len(entries))
        + directory
        + struct.pack(">I", 0)
        + apart
    )


def turned_by(orientation):
    return ORIENTATION, SHORT, 1, struct.pack(">H", orientation)


def gray_profile(gamma):
    return icc_profile(b"GRAY", {b"wtpt": xyz_tag(D50), b"kTRC": gamma_tag(gamma)})


def ink_profile():
    """A CMYK profile in which magenta is gray, and cyan and yellow are nothing."""
    identity = bytes(range(256))
    lightness = [0 if index & 1 else 128 if index & 4 else 255 for index in range(16)]
    table = b"".join(bytes([level, 128, 128]) for level in lightness)
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0])
    lut += struct.pack(">9i", *(65536 if index % 4 == 0 else 0 for index in range(9)))
    lut += identity * 4 + table + identity * 3
    return icc_profile(b"CMYK", {b"wtpt": xyz_tag(D50), b"A2B0": lut}, pcs=b"Lab ")


def p3_to_srgb(pixels):
    """What `wide_gamut_profile` means, computed."""
    matrix = np.array([[1.2249, -0.2247, 0], [-0.042, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
    linear = np.clip((pixels / 255) ** 2.2 @ matrix.T, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return 255 * curved


# The models' range


def test_to_float_spans_the_models_range():
    values = to_float(LEVELS)
    assert values.dtype == np.float32
    assert values[0] == np.float32(-0.9)
    assert values[-1] == np.float32(0.9)
    np.testing.assert_allclose(np.diff(values), 1.8 / 255, atol=1e-6)


def test_every_level_survives_the_round_trip():
    np.testing.assert_array_equal(to_uint8(to_float(LEVELS)), LEVELS)


def test_to_uint8_clips():
    values = np.array([-np.inf, -5, -0.91, 0.91, 5, np.inf], np.float32)
    assert to_uint8(values).tolist() == [0, 0, 0, 255, 255, 255]


@pytest.mark.parametrize("offset", [-0.49, -0.3, 0.3, 0.49])
def test_to_uint8_takes_the_nearest_level(offset):
    values = to_float(LEVELS) + np.float32(offset * 1.8 / 255)
    np.testing.assert_array_equal(to_uint8(values), LEVELS)


def test_shapes_are_kept():
    pixels = random_pixels(2, 5, 7, 3)
    assert to_float(pixels).shape == pixels.shape
    np.testing.assert_array_equal(to_uint8(to_float(pixels).astype(np.float64)), pixels)


# Kinds of images


def test_rgb_stays_as_it_is(tmp_path):
    pixels = random_pixels(5, 7, 3)
    np.testing.assert_array_equal(as_rgb(pixels), pixels)
    np.testing.assert_array_equal(as_rgb(Image.fromarray(pixels)), pixels)
    path = saved(Image.fromarray(pixels), tmp_path / "image.png")
    for file in (path, str(path), io.BytesIO(path.read_bytes())):
        image = read_image(file)
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, pixels)


def test_what_is_returned_can_be_written_to():
    pixels = random_pixels(5, 7, 3)
    as_rgb(Image.fromarray(pixels))[0, 0] = 0


def test_an_array_is_copied_unless_told_otherwise():
    pixels = random_pixels(5, 7, 3)
    assert not np.shares_memory(as_rgb(pixels), pixels)
    assert np.shares_memory(as_rgb(pixels, copy=False), pixels)
    mirrored = as_rgb(pixels[:, ::-1], copy=False)
    assert mirrored.flags.c_contiguous
    np.testing.assert_array_equal(mirrored, pixels[:, ::-1])


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1)])
def test_grayscale_arrays_become_rgb(shape):
    pixels = random_pixels(*shape)
    np.testing.assert_array_equal(as_rgb(pixels), np.dstack([pixels] * 3))


def test_grayscale_files_become_rgb(tmp_path):
    pixels = random_pixels(5, 7)
    path = saved(Image.fromarray(pixels), tmp_path / "gray.png")
    np.testing.assert_array_equal(read_image(path), np.dstack([pixels] * 3))


def test_one_bit_images_become_black_and_white(tmp_path):
    bits = random_pixels(5, 7) > 127
    path = saved(Image.fromarray(bits), tmp_path / "bits.png")
    np.testing.assert_array_equal(read_image(path), np.dstack([bits * np.uint8(255)] * 3))


@pytest.mark.parametrize("extension", ["png", "gif"])
def test_palette_images_take_their_colours(tmp_path, extension):
    indices = random_pixels(5, 7) % 4
    colours = np.array([[255, 0, 0], [0, 128, 0], [10, 20, 30], [255, 255, 255]], np.uint8)
    image = Image.fromarray(indices).convert("P")
    image.putpalette(colours.tobytes())
    path = saved(image, tmp_path / f"palette.{extension}")
    np.testing.assert_array_equal(read_image(path), colours[indices])


def test_cmyk_images_become_rgb(tmp_path):
    image = Image.new("CMYK", (4, 3), (0, 255, 255, 0))
    pixels = read_image(saved(image, tmp_path / "cmyk.tif"))
    np.testing.assert_array_equal(pixels, np.full((3, 4, 3), (255, 0, 0)))


@pytest.mark.parametrize("extension", ["png", "tif"])
def test_16_bit_grayscale_is_reduced_to_8_bits(tmp_path, extension):
    levels = np.array(
        [[0, 128, 129, 257, 0x7FFF], [0x8000, 65535 - 129, 65535 - 128, 65534, 65535]]
    )
    path = saved(Image.fromarray(levels.astype(np.uint16)), tmp_path / f"gray.{extension}")
    # 257 levels of 65536 for each of 256, to the nearest.
    expected = np.array([[0, 0, 1, 1, 127], [128, 254, 255, 255, 255]])
    np.testing.assert_array_equal(read_image(path), np.dstack([expected] * 3))


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_16_bit_grayscale_whose_white_is_zero_is_turned_over(tmp_path, compression):
    levels = np.array([[0, 257, 65535]], np.uint16)
    tags = {262: 0}
    path = tmp_path / "negative.tif"
    Image.fromarray(levels).save(path, tiffinfo=tags, compression=compression)
    assert read_image(path)[0, :, 0].tolist() == [255, 254, 0]


def test_12_bit_grayscale_is_scaled_by_its_own_white(tmp_path):
    strip = bytes([0x00, 0x08, 0x00, 0xFF, 0xF0, 0x10])  # 0, 2048, 4095 and 16.
    entries = [
        (256, SHORT, 4),
        (257, SHORT, 1),
        (258, SHORT, 12),
        (259, SHORT, 1),
        (262, SHORT, 1),
        (273, LONG, 8 + 2 + 12 * 8 + 4),
        (278, SHORT, 1),
        (279, LONG, len(strip)),
    ]
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    path = tmp_path / "gray.tif"
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + strip)
    assert read_image(path)[0, :, 0].tolist() == [0, 128, 255, 1]


@pytest.mark.parametrize("white", [65535, 1023])
def test_pgm_of_more_than_8_bits_is_scaled_by_its_own_white(tmp_path, white):
    levels = np.array([0, white // 3, white], ">u2")
    path = tmp_path / "gray.pgm"
    path.write_bytes(b"P5 3 1 %d\n" % white + levels.tobytes())
    assert read_image(path)[0, :, 0].tolist() == [0, 85, 255]


def test_32_bit_grayscale_that_fits_is_taken_as_it_is(tmp_path):
    levels = np.array([[0, 7, 255]], np.int32)
    path = saved(Image.fromarray(levels), tmp_path / "gray.tif")
    np.testing.assert_array_equal(read_image(path)[:, :, 0], levels)


@pytest.mark.parametrize("levels", [[0, 256], [-1, 255], [-1000, 1000], [0, 2**31 - 1]])
def test_32_bit_grayscale_that_does_not_fit_is_refused(tmp_path, levels):
    path = saved(Image.fromarray(np.array([levels], np.int32)), tmp_path / "gray.tif")
    for background in (None, "white"):
        with pytest.raises(ImageError, match=f"gray.tif.*32-bit.*{levels[0]} to {levels[1]}"):
            read_image(path, background)


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda pixels: pixels),
        (2, lambda pixels: pixels[:, ::-1]),
        (3, lambda pixels: pixels[::-1, ::-1]),
        (4, lambda pixels: pixels[::-1]),
        (5, lambda pixels: pixels.swapaxes(0, 1)),
        (6, lambda pixels: np.rot90(pixels, -1)),
        (7, lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1)),
        (8, np.rot90),
    ],
)
@pytest.mark.parametrize("extension", ["png", "webp", "tif", "avif"])
def test_exif_orientation_is_applied(tmp_path, orientation, turn, extension):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {} if extension == "tif" else {"lossless": True}
    if extension == "avif":
        options = {"quality": 100, "subsampling": "4:4:4"}
    image = Image.fromarray(random_pixels(16, 24, 3))
    path = saved(image, tmp_path / f"turned.{extension}", exif=exif, **options)
    plain = saved(image, tmp_path / f"plain.{extension}", **options)
    np.testing.assert_array_equal(read_image(path), turn(read_image(plain)))
    with Image.open(path) as opened:
        # What is given is left as it is.
        np.testing.assert_array_equal(as_rgb(opened), read_image(path))
        np.testing.assert_array_equal(as_rgb(opened), read_image(path))


# Metadata


BROKEN_TAGS = {
    "text in a numeric tag": (X_RESOLUTION, TEXT, 4, b"abs\0"),
    "a rational in a text tag": (SOFTWARE, RATIONAL, 1, struct.pack(">II", 7, 2)),
    "0/0": (X_RESOLUTION, RATIONAL, 1, bytes(8)),
    "a number without values": (X_RESOLUTION, RATIONAL, 0, b""),
    "values outside the block": (X_RESOLUTION, RATIONAL, 1, struct.pack(">I", 2**31)[:4]),
    "an unknown type": (X_RESOLUTION, 99, 1, b""),
    "a directory that is not there": (GPS, LONG, 1, struct.pack(">I", 60000)),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("extension", ["jpg", "png", "webp"])
@pytest.mark.parametrize("kind", BROKEN_TAGS)
def test_broken_tags_do_not_keep_an_image_from_being_read_upright(tmp_path, extension, kind):
    unit = (0x0128, SHORT, 1, struct.pack(">H", 2))
    block = exif_block(turned_by(6), BROKEN_TAGS[kind], unit)
    image = Image.fromarray(random_pixels(8, 16, 3))
    plain = saved(image, tmp_path / f"plain.{extension}")
    path = saved(image, tmp_path / f"turned.{extension}", exif=block)
    np.testing.assert_array_equal(read_image(path), np.rot90(read_image(plain), -1))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "avif"])
def test_mutated_exif_never_costs_the_pixels(tmp_path, extension):
    exif = Image.Exif()
    exif.update({ORIENTATION: 6, SOFTWARE: "software", X_RESOLUTION: 72.0, 0x0128: 2})
    exif.get_ifd(GPS).update({1: "N", 2: (1.0, 2.0, 3.0), 29: "2020:01:01"})
    exif.get_ifd(0x8769).update({33434: 0.01, 37510: b"ASCII\0\0\0comment"})
    path = saved(Image.fromarray(random_pixels(8, 16, 3)), tmp_path / f"i.{extension}", exif=exif)
    whole = path.read_bytes()
    start = re.search(rb"MM\0\*|II\*\0", whole).start()
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole)
        for position in rng.integers(start, start + 200, rng.integers(1, 5)):
            damaged[position] = rng.integers(256)
        if extension == "png":
            at = whole.index(b"eXIf")
            (length,) = struct.unpack(">I", whole[at - 4 : at])
            checksum = struct.pack(">I", zlib.crc32(damaged[at : at + 4 + length]))
            damaged[at + 4 + length : at + 8 + length] = checksum
        assert sorted(read_image(io.BytesIO(damaged)).shape) == [3, 8, 16]


@pytest.mark.filterwarnings("ignore")
def test_mutated_tiff_tags_raise_nothing_else():
    exif = Image.Exif()
    exif.update({ORIENTATION: 6, SOFTWARE: "software", X_RESOLUTION: 72.0})
    exif.get_ifd(GPS).update({1: "N", 2: (1.0, 2.0, 3.0)})
    file = io.BytesIO()
    Image.fromarray(random_pixels(8, 16, 3)).save(file, "TIFF", exif=exif)
    rng = np.random.default_rng(0)
    outcomes = []
    for _ in range(400):
        damaged = bytearray(file.getvalue())
        for position in rng.integers(8, 400, rng.integers(1, 3)):
            damaged[position] = rng.integers(256)
        try:
            outcomes.append(read_image(io.BytesIO(damaged)).shape)
        except ImageError:
            outcomes.append(ImageError)
    assert {ImageError, (16, 8, 3)} <= set(outcomes)


def test_broken_directories_of_a_tiff_do_not_cost_its_pixels(tmp_path, monkeypatch):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif.get_ifd(GPS)[2] = (1.0, 2.0, 3.0)
    path = saved(Image.fromarray(random_pixels(8, 16, 3)), tmp_path / "turned.tif", exif=exif)

    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(Image.Exif, "get_ifd", fail)
    assert read_image(path).shape == (16, 8, 3)


@pytest.mark.filterwarnings("ignore")
def test_metadata_that_the_reader_refuses_is_left_out(tmp_path, caplog):
    pixels = random_pixels(8, 16, 3)
    path = saved(Image.fromarray(pixels), tmp_path / "text.png", exif=exif_block(turned_by(3)))
    data = path.read_bytes()
    text = b"Comment\0\0" + zlib.compress(bytes(5_000_000))
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text
    chunk += struct.pack(">I", zlib.crc32(b"zTXt" + text))
    path.write_bytes(data[:33] + chunk + data[33:])
    with pytest.raises(ValueError, match="MAX_TEXT_CHUNK"):
        Image.open(path)
    np.testing.assert_array_equal(read_image(path), pixels[::-1, ::-1])
    assert re.search("text.png: the metadata .* is ignored", caplog.text)


@pytest.mark.parametrize(
    ("info", "turns"),
    [
        ({"xmp": b'<x tiff:Orientation="6"/>'}, -1),
        ({"XML:com.adobe.xmp": "<tiff:Orientation>6</tiff:Orientation>"}, -1),
        ({"Raw profile type exif": "\nexif\n 32\n" + exif_block(turned_by(6)).hex()}, -1),
        ({"Raw profile type exif": "\nexif\n 32\nno hexadecimal"}, 0),
        ({"exif": b"no block"}, 0),
        ({"exif": "text"}, 0),
        ({}, 0),
    ],
)
def test_the_orientation_in_xmp_and_in_text_counts(info, turns):
    image = Image.fromarray(random_pixels(8, 16, 3))
    expected = np.rot90(np.asarray(image), turns)
    image.info = info
    np.testing.assert_array_equal(as_rgb(image), expected)


def test_the_orientation_that_a_program_sets_counts():
    image = Image.fromarray(random_pixels(8, 16, 3))
    image.getexif()[ORIENTATION] = 6
    np.testing.assert_array_equal(as_rgb(image), np.rot90(np.asarray(image), -1))


# Colour profiles


@pytest.mark.parametrize("extension", ["png", "webp", "tif"])
def test_a_wide_gamut_profile_is_converted_to_srgb(tmp_path, extension):
    pixels = random_pixels(16, 16, 3)
    options = {} if extension == "tif" else {"lossless": True}
    path = tmp_path / f"wide.{extension}"
    saved(Image.fromarray(pixels), path, icc_profile=wide_gamut_profile(), **options)
    np.testing.assert_allclose(read_image(path), p3_to_srgb(pixels), atol=2)


def test_the_golden_wide_gamut_image(request):
    """The page is held against the same files (web_demo/tests/browser.test.ts)."""
    golden = request.config.rootpath / "tests" / "golden"
    with Image.open(golden / "wide_gamut.png") as image:
        assert image.info["icc_profile"] == wide_gamut_profile()
        np.testing.assert_array_equal(np.asarray(image), colours())
    expected = read_image(golden / "wide_gamut_srgb.png")
    np.testing.assert_allclose(expected, p3_to_srgb(colours()), atol=2)
    assert abs(expected.astype(int) - colours()).max() > 40
    # Another release of Little CMS may round otherwise.
    np.testing.assert_allclose(read_image(golden / "wide_gamut.png"), expected, atol=1)


def test_profiles_hold_for_palettes_and_transparency():
    colours = random_pixels(4, 3)
    image = Image.fromarray(np.arange(4, dtype=np.uint8)[None], "P")
    image.putpalette(colours.tobytes())
    image.info["icc_profile"] = wide_gamut_profile()
    np.testing.assert_allclose(as_rgb(image)[0], p3_to_srgb(colours), atol=2)
    image = Image.fromarray(np.dstack([colours[None], [[255, 255, 0, 255]]]).astype(np.uint8))
    image.info["icc_profile"] = wide_gamut_profile()
    expected = p3_to_srgb(colours)
    expected[2] = (255, 0, 0)  # The background is not of the profile.
    np.testing.assert_allclose(as_rgb(image, "red")[0], expected, atol=2)


@pytest.mark.parametrize("mode", ["L", "LA", "I;16", "1"])
def test_gray_profiles(mode):
    image = Image.fromarray(LEVELS[None])
    if mode == "I;16":
        image = Image.fromarray(LEVELS[None].astype(np.uint16) * 257)
    elif mode == "1":
        image = Image.fromarray(np.array([[False, True]]))
    image = image if image.mode == mode else image.convert(mode)
    plain = as_rgb(image)[0, :, 0]
    image.info["icc_profile"] = gray_profile(gamma=1)
    linear = plain / 255
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(as_rgb(image)[0, :, 0], 255 * curved, atol=2)


def test_gray_images_with_a_profile_of_colours_take_its_curve(caplog):
    image = Image.fromarray(LEVELS[None])
    image.info["icc_profile"] = wide_gamut_profile()
    np.testing.assert_allclose(as_rgb(image)[0], p3_to_srgb(np.stack([LEVELS] * 3, 1)), atol=2)
    assert not caplog.text


def test_cmyk_profiles(tmp_path):
    inks = np.array([[[255, 0, 255, 0], [0, 0, 0, 255], [0, 255, 0, 0]]], np.uint8)
    image = Image.fromarray(inks, "CMYK")
    path = saved(image, tmp_path / "ink.tif", icc_profile=ink_profile())
    # A lightness of 50 is the level 119 of sRGB.
    expected = np.array([[[255] * 3, [0] * 3, [119] * 3]])
    np.testing.assert_allclose(read_image(path), expected, atol=2)


def test_lab_images_become_rgb():
    image = Image.new("LAB", (2, 1), (255, 128, 128))
    assert as_rgb(image).min() >= 253


def test_a_profile_of_srgb_leaves_the_pixels_as_they_are():
    pixels = random_pixels(64, 64, 3)
    image = Image.fromarray(pixels)
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(as_rgb(image), pixels)


@pytest.mark.parametrize(
    "profile",
    [b"no profile", wide_gamut_profile()[:200], ink_profile(), gray_profile(2.2)],
    ids=["text", "cut", "of inks", "of grays"],
)
def test_a_profile_that_cannot_be_used_is_named_and_ignored(tmp_path, caplog, profile):
    pixels = random_pixels(5, 7, 3)
    path = saved(Image.fromarray(pixels), tmp_path / "broken.png", icc_profile=profile)
    np.testing.assert_array_equal(read_image(path), pixels)
    assert re.search("broken.png: the colour profile cannot be used", caplog.text)
    caplog.clear()
    read_image(io.BytesIO(path.read_bytes()), name="the third")
    assert re.search("the third: the colour profile", caplog.text)


def test_a_profile_that_pillow_drops_is_named(tmp_path, caplog):
    """One whose parts are not all there, and one that cannot be decompressed."""
    pixels = random_pixels(5, 7, 3)
    for extension in ("jpg", "png"):
        path = tmp_path / f"damaged.{extension}"
        saved(Image.fromarray(pixels), path, icc_profile=wide_gamut_profile())
        content = bytearray(path.read_bytes())
        if extension == "jpg":
            content[content.index(b"ICC_PROFILE") + 13] = 2  # parts
        else:
            place = content.index(b"iCCP")
            (size,) = struct.unpack_from(">I", content, place - 4)
            content[place + 40 : place + 60] = 20 * b"\xff"
            check = zlib.crc32(content[place : place + 4 + size])
            struct.pack_into(">I", content, place + 4 + size, check)
        path.write_bytes(content)
        assert read_image(path).shape == pixels.shape
        assert f"damaged.{extension}: the colour profile cannot be used" in caplog.text


@pytest.mark.parametrize("method", [2, 3])
def test_the_profile_of_a_jpeg_2000_file(tmp_path, method):
    pixels = random_pixels(16, 16, 3)
    path = saved(Image.fromarray(pixels), tmp_path / "wide.jp2")
    np.testing.assert_array_equal(read_image(path), pixels)
    content = path.read_bytes()
    colours = bytes([method, 0, 0]) + wide_gamut_profile()
    content = with_box(content, b"jp2h", lambda box: with_box(box, b"colr", lambda _: colours))
    path.write_bytes(content)
    np.testing.assert_allclose(read_image(path), p3_to_srgb(pixels), atol=2)
    with Image.open(path) as image:
        np.testing.assert_allclose(as_rgb(image), p3_to_srgb(pixels), atol=2)


def with_box(content, name, change):
    """A part of a JPEG 2000 file with another content of a box."""
    start = content.index(name) - 4
    (size,) = struct.unpack_from(">I", content, start)
    box = change(content[start + 8 : start + size])
    return b"".join(
        [content[:start], struct.pack(">I", 8 + len(box)), name, box, content[start + size :]]
    )


@pytest.mark.filterwarnings("ignore")
def test_mutated_profiles_raise_nothing_else():
    image = Image.fromarray(random_pixels(5, 7, 3))
    rng = np.random.default_rng(0)
    for profile in [wide_gamut_profile()] * 150 + [ink_profile()] * 150:
        damaged = bytearray(profile)
        for position in rng.integers(0, len(profile), rng.integers(1, 9)):
            damaged[position] = rng.integers(256)
        image.info["icc_profile"] = bytes(damaged)
        assert as_rgb(image).shape == (5, 7, 3)


# Frames


@pytest.mark.parametrize("extension", ["gif", "png", "tif", "webp"])
def test_further_frames_are_reported(tmp_path, caplog, extension):
    frames = [Image.fromarray(random_pixels(8, 9, 3, seed=seed)) for seed in range(3)]
    path = tmp_path / f"frames.{extension}"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    first = read_image(path)
    assert re.search(rf"frames.{extension}: only the first of 3 frames is read", caplog.text)
    if extension != "gif":
        np.testing.assert_array_equal(first, np.asarray(frames[0]))
    caplog.clear()
    read_image(saved(frames[0], tmp_path / f"single.{extension}"))
    assert not caplog.records


@pytest.mark.filterwarnings("ignore")
def test_frames_that_cannot_be_read_do_not_cost_the_first(tmp_path, caplog):
    frames = [Image.fromarray(random_pixels(8, 9, 3, seed=seed)) for seed in range(2)]
    path = tmp_path / "frames.tif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    data = bytearray(path.read_bytes())
    (directory,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, directory)
    struct.pack_into("<I", data, directory + 2 + 12 * count, len(data) - 3)
    path.write_bytes(data)
    np.testing.assert_array_equal(read_image(path), np.asarray(frames[0]))
    assert re.search(r"frames.tif: only the first of \w+ frames is read", caplog.text)


# Transparency


def transparent_pixels():
    pixels = random_pixels(3, 4, 4)
    pixels[..., 3] = [[0, 255, 128, 1]] * 3
    return pixels


@pytest.mark.parametrize("make", [np.asarray, Image.fromarray])
def test_transparency_is_refused_without_a_background(make):
    with pytest.raises(ImageError, match="transparent.*--background"):
        as_rgb(make(transparent_pixels()))


def test_a_refused_file_is_named(tmp_path):
    path = saved(Image.fromarray(transparent_pixels()), tmp_path / "glass.png")
    with pytest.raises(ImageError, match="glass.png.*--background"):
        read_image(path)


@pytest.mark.parametrize(
    ("background", "colour"), [("white", (255, 255, 255)), ("#ff8000", (255, 128, 0))]
)
def test_the_background_shows_through(tmp_path, background, colour):
    pixels = transparent_pixels()
    path = saved(Image.fromarray(pixels), tmp_path / "glass.png")
    alpha = pixels[..., 3:] / 255
    expected = pixels[..., :3] * alpha + np.array(colour) * (1 - alpha)
    image = read_image(path, background)
    np.testing.assert_allclose(image, expected, atol=1)
    np.testing.assert_array_equal(image[:, 0], [colour] * 3)
    np.testing.assert_array_equal(image[:, 1], pixels[:, 1, :3])


@pytest.mark.parametrize("background", [None, "red"])
def test_opaque_rgba_loses_its_alpha(background):
    pixels = random_pixels(3, 4, 4)
    pixels[..., 3] = 255
    np.testing.assert_array_equal(as_rgb(pixels, background), pixels[..., :3])


def palette_with_transparency(path):
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 0, 0, 255])
    return saved(image, path, transparency=1)


@pytest.mark.parametrize("extension", ["png", "gif"])
def test_palette_with_transparency(tmp_path, extension):
    path = palette_with_transparency(tmp_path / f"palette.{extension}")
    with pytest.raises(ImageError, match="--background"):
        read_image(path)
    red, green = (255, 0, 0), (0, 128, 0)
    assert read_image(path, "green").tolist() == [[[*red], [*green]], [[*green], [*red]]]


def test_gray_with_alpha():
    image = Image.fromarray(np.array([[[200, 255], [200, 0]]], np.uint8), "LA")
    with pytest.raises(ImageError, match="--background"):
        as_rgb(image)
    assert as_rgb(image, "black").tolist() == [[[200] * 3, [0] * 3]]


def test_16_bit_grayscale_with_a_transparent_level(tmp_path):
    levels = np.array([[0, 40000]], np.uint16)
    path = saved(Image.fromarray(levels), tmp_path / "gray.png", transparency=40000)
    with pytest.raises(ImageError, match="--background"):
        read_image(path)


def test_a_transparent_colour_of_16_bits(tmp_path):
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + struct.pack(">6H", 0x1234, 0, 0, 0x3400, 0, 0))
    content = b""
    for name, chunk in (
        (b"IHDR", header),
        (b"tRNS", struct.pack(">HHH", 0x1234, 0, 0)),
        (b"IDAT", pixels),
        (b"IEND", b""),
    ):
        content += struct.pack(">I", len(chunk)) + name + chunk
        content += struct.pack(">I", zlib.crc32(name + chunk))
    path = tmp_path / "key.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    assert read_image(path, "white").tolist() == [[[255, 255, 255], [0x34, 0, 0]]]


@pytest.mark.parametrize("background", ["no such colour", "#12", "", 5, (1, 2, 3)])
def test_a_background_that_is_no_colour_is_refused(background):
    with pytest.raises(ImageError, match="background.*not a colour"):
        as_rgb(transparent_pixels(), background)


# Errors


@pytest.mark.parametrize("dtype", [np.float32, np.uint16, np.int64, bool])
def test_arrays_of_other_types_are_refused(dtype):
    with pytest.raises(ImageError, match="uint8.*not " + np.dtype(dtype).name):
        as_rgb(np.zeros((4, 4, 3), dtype))


@pytest.mark.parametrize("shape", [(), (4,), (4, 4, 2), (4, 4, 5), (1, 4, 4, 3)])
def test_arrays_of_other_shapes_are_refused(shape):
    with pytest.raises(ImageError, match="must be"):
        as_rgb(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("shape", "hint"),
    [((3, 40, 50), "moveaxis"), ((1, 40, 50), "moveaxis"), ((2, 40, 50, 3), "one image at a time")],
)
def test_shapes_of_other_conventions_are_refused_with_a_remedy(shape, hint):
    with pytest.raises(ImageError, match=hint):
        as_rgb(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(0, 4), (0, 4, 3), (4, 0, 3), (4, 0, 1)])
def test_empty_arrays_are_refused(shape):
    with pytest.raises(ImageError, match="no pixels"):
        as_rgb(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "I;16", "I", "CMYK"])
@pytest.mark.parametrize("size", [(0, 4), (4, 0), (0, 0)])
def test_empty_images_are_refused(mode, size):
    with pytest.raises(ImageError, match="no pixels"):
        as_rgb(Image.new(mode, size))


def test_buffers_are_taken_as_arrays():
    pixels = random_pixels(5, 7, 3)

    class Buffer:
        __array_interface__ = pixels.__array_interface__

    views = (memoryview(pixels), Buffer(), np.repeat(pixels, 2, 1)[:, ::2], np.flip(pixels)[::-1])
    for view, expected in zip(views, (pixels, pixels, pixels, np.flip(pixels)[::-1]), strict=True):
        np.testing.assert_array_equal(as_rgb(view), expected)
    frozen = pixels.copy()
    frozen.flags.writeable = False
    as_rgb(frozen)[0, 0] = 0


class Unreadable:
    def __array__(self, *_, **__):
        raise RuntimeError("on another device")


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (None, "uint8"),
        (5, "uint8"),
        ([[1, 2], [3]], "neither an image nor an array"),
        (Unreadable(), "on another device"),
        ("photo.png", "'photo.png' is a path"),
        (memoryview(b"bytes"), "must be"),
        (memoryview(np.zeros((4, 4), np.float32)), "uint8"),
    ],
)
def test_what_is_neither_is_refused(thing, message):
    with pytest.raises(ImageError, match=message):
        as_rgb(thing)


def test_pixels_beyond_the_limit_are_never_read(monkeypatch):
    """A black image of 169 million pixels is a file of 20,000 bytes."""
    file = io.BytesIO()
    Image.new("1", (13, 10)).save(file, "PNG")
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("it is read"))
    with pytest.raises(TooLargeError, match="x.png: the image has 130 pixels, .* limit of 129;"):
        read_image(file, name="x.png", max_pixels=129)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2**30)
    large = io.BytesIO()
    Image.new("1", (2**13 + 1, 2**12)).save(large, "PNG")
    with pytest.raises(TooLargeError, match="limit of 33,554,432; make it smaller first; or raise"):
        read_image(large)
    with pytest.raises(TooLargeError, match="130 pixels"):
        as_rgb(Image.open(file), max_pixels=129)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64)
    with pytest.raises(TooLargeError, match="more pixels than Pillow reads .* make it smaller"):
        read_image(file, max_pixels=None)


def test_closed_and_truncated_images_are_refused(tmp_path):
    path = saved(Image.fromarray(random_pixels(64, 64, 3)), tmp_path / "image.png")
    with Image.open(path) as image:
        pass
    with pytest.raises(ImageError, match="cannot be loaded"):
        as_rgb(image)
    image = Image.open(path)
    image.close()
    with pytest.raises(ImageError, match="cannot be loaded"):
        as_rgb(image)
    path.write_bytes(path.read_bytes()[:5000])
    with Image.open(path) as image, pytest.raises(ImageError, match="cannot be loaded.*truncated"):
        as_rgb(image)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match="nowhere.png: no such file"):
        read_image(tmp_path / "nowhere.png")


@pytest.mark.parametrize("file", [None, 5, io.StringIO("text"), object(), "\0"])
def test_what_is_no_file_is_refused(file):
    with pytest.raises(ImageError):
        read_image(file)


def test_only_known_formats_are_opened(tmp_path, monkeypatch):
    def fail(*_):
        raise AssertionError("opened")

    for name in set(Image.OPEN) - {*FORMATS, "MPO"}:
        monkeypatch.setitem(Image.OPEN, name, (fail, None))
    path = tmp_path / "drawing.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")
    with pytest.raises(ImageError, match="drawing.png: not an image of a known format"):
        read_image(path)


@pytest.mark.parametrize("kind", ["EPS", "ICO", "ICNS", "TGA", "PCX", "SGI", "DDS"])
def test_files_of_other_formats_are_refused(tmp_path, kind):
    path = tmp_path / "image.png"
    Image.fromarray(random_pixels(16, 16, 3)).save(path, kind)
    with pytest.raises(ImageError, match="image.png: not an image of a known format"):
        read_image(path)


@pytest.mark.parametrize(
    "error",
    [KeyError, AttributeError, ZeroDivisionError, struct.error, RecursionError, MemoryError]
    + [AssertionError, UnicodeDecodeError("utf-8", b"", 0, 1, "cut"), Image.DecompressionBombError],
)
def test_whatever_a_reader_raises_names_the_file(tmp_path, monkeypatch, error):
    path = saved(Image.fromarray(random_pixels(8, 8, 3)), tmp_path / "odd.png")

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(ImageError, match="odd.png: .+"):
        read_image(path)
    monkeypatch.undo()
    monkeypatch.setattr(Image.Image, "crop", fail)
    with pytest.raises(ImageError, match="odd.png: .+"):
        read_image(path)


def test_an_interruption_is_not_an_error_of_the_image(tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Image, "open", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read_image(tmp_path / "image.png")


@pytest.mark.parametrize("content", [b"just some text", b"RIFF\0\0\0\0WAVEfmt ", b"\x89PN"])
def test_a_file_that_is_no_image_is_named(tmp_path, content):
    path = tmp_path / "text.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match="text.png: not an image of a known format; convert it"):
        read_image(path)


def test_an_empty_file_is_said_to_be(tmp_path):
    path = tmp_path / "empty.png"
    path.touch()
    with pytest.raises(ImageError, match="empty.png: the file is empty"):
        read_image(path)


def test_a_format_that_pillow_was_built_without_is_named(tmp_path, monkeypatch):
    Image.init()
    monkeypatch.setitem(Image.OPEN, "AVIF", (None, lambda _: "AVIF support not installed"))
    path = tmp_path / "photo.avif"
    path.write_bytes(b"\0\0\0\x20ftypavif")
    with (
        pytest.warns(UserWarning, match="not installed"),
        pytest.raises(ImageError, match="photo.avif: AVIF support not"),
    ):
        read_image(path)


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(ImageError, match=tmp_path.name):
        read_image(tmp_path)


CUT = r"photo\.\w+: (begins as \w+ does, but is cut|damaged, or of a kind that cannot be read)"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("extension", "options"),
    [(extension, {}) for extension in WRITABLE]
    # Of these, the list of tags is at the end.
    + [(".tif", {"compression": "tiff_lzw"}), (".tif", {"compression": "jpeg"})]
    + [(".jpg", {"progressive": True}), (".webp", {"lossless": True}), (".jp2", {"no_jp2": True})],
)
def test_a_truncated_file_is_said_to_be(tmp_path, extension, options):
    path = tmp_path / f"photo{extension}"
    saved(Image.fromarray(random_pixels(40, 40, 3)), path, **options)
    whole = path.read_bytes()
    for length in {16, 24, 40, 60, *range(len(whole) // 8, len(whole) // 2 + 1, len(whole) // 8)}:
        path.write_bytes(whole[:length])
        with pytest.raises(ImageError, match=CUT):
            read_image(path)
        with path.open("rb") as file, pytest.raises(ImageError, match=CUT):
            read_image(file, name=path.name)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("extension", WRITABLE)
def test_damaged_files_raise_nothing_else(tmp_path, extension):
    path = saved(Image.fromarray(random_pixels(16, 16, 3)), tmp_path / f"damaged{extension}")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[rng.integers(min(len(whole), 400))] = rng.integers(256)
        try:
            outcomes.add(read_image(io.BytesIO(damaged), "white").dtype)
        except ImageError:
            outcomes.add(ImageError)
    assert ImageError in outcomes


def test_a_damaged_file_is_said_to_be_with_a_remedy(tmp_path):
    damaged_tiff(tmp_path / "a.tif")
    with pytest.raises(ImageError, match="a.tif: damaged, or of a kind .*; get it again, or save"):
        read_image(tmp_path / "a.tif")


@reaches_libtiff
def test_what_libtiff_says_of_a_damaged_file_is_in_the_error(tmp_path, capfd):
    path = tmp_path / "a.tif"
    damaged_tiff(path)
    with pytest.raises(ImageError, match=rf"\(decoder error -2: {FAULT}, .*\); get it again"):
        read_image(path)
    with Image.open(path) as image, pytest.raises(ImageError, match=FAULT):
        as_rgb(image)
    assert capfd.readouterr().err == ""


@reaches_libtiff
def test_what_others_read_is_told_as_ever(tmp_path, capfd):
    """Each thread's messages are its own, and those of images read without us are printed."""
    damaged_tiff(tmp_path / "a.tif")
    damaged_bilevel(tmp_path / "b.tif")

    def read(number):
        try:
            read_image(tmp_path / ("a.tif" if number % 2 else "b.tif"))
        except ImageError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        messages = list(pool.map(read, range(200)))
    assert len(set(messages)) == 2
    assert messages[0] is None
    assert messages[1].count(FAULT) == 1
    assert capfd.readouterr().err == ""
    with (
        libtiff_errors() as heard,
        ThreadPoolExecutor(1) as pool,
        Image.open(tmp_path / "a.tif") as image,
        pytest.raises(OSError, match="decoder error"),
    ):
        pool.submit(image.load).result()
    assert heard == []
    assert FAULT in capfd.readouterr().err


@reaches_libtiff
def test_damage_that_leaves_a_picture_is_told(tmp_path, caplog, capfd):
    damaged_bilevel(tmp_path / "b.tif")
    assert read_image(tmp_path / "b.tif").shape == (48, 48, 3)
    with Image.open(tmp_path / "b.tif") as image:
        as_rgb(image)
    pattern = r".*b.tif: damaged in places \(Fax4Decode: Bad code word at line \d+ of strip 0 .*\)"
    assert all(re.fullmatch(pattern, message) for message in caplog.messages)
    assert len(caplog.messages) == 2
    assert capfd.readouterr().err == ""


def damaged_bilevel(path):
    """A TIFF as fax machines compress it, of which libtiff guesses what is damaged."""
    file = io.BytesIO()
    Image.fromarray(random_pixels(48, 48)).convert("1").save(file, "TIFF", compression="group4")
    content = file.getvalue()
    path.write_bytes(content[:100] + b"\xff" * 50 + content[150:])


@pytest.mark.parametrize("sides", [(6144,), (6144, 16), (16, 6144)])
def test_tiles_beyond_the_limit_are_never_read(tmp_path, sides):
    """A tile is read whole, however small the image is."""
    large_tile(tmp_path / "a.tif", *sides)
    with pytest.raises(TooLargeError, match="a.tif: a tile of the image has 37,748,736 pixels"):
        read_image(tmp_path / "a.tif")
    with Image.open(tmp_path / "a.tif") as image, pytest.raises(TooLargeError, match="a tile"):
        as_rgb(image, max_pixels=6144**2 - 1)


def test_tiles_within_the_limit(tmp_path):
    large_tile(tmp_path / "a.tif", 32)
    assert read_image(tmp_path / "a.tif", max_pixels=32**2).shape == (1, 1, 3)
    with pytest.raises(TooLargeError, match="1,024 pixels, more than the limit of 1,023"):
        read_image(tmp_path / "a.tif", max_pixels=32**2 - 1)


def test_tiles_of_no_known_size(tmp_path):
    large_tile(tmp_path / "a.tif", 32, kind=17)  # Libtiff reads it, Pillow does not.
    with pytest.raises(ImageError, match="a.tif: the size of its tiles cannot be read"):
        read_image(tmp_path / "a.tif")


def test_scans_beyond_the_limit_are_never_read(tmp_path):
    """A few bytes are a scan, and a scan is as much work as all pixels."""
    many_scans(tmp_path / "a.jpg", MAX_SCANS + 1)
    with pytest.raises(TooLargeError, match="a.jpg: the image has more than 100 scans"):
        read_image(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image, pytest.raises(TooLargeError, match="100 scans"):
        as_rgb(image, max_pixels=184**2)
    many_scans(tmp_path / "a.jpg", MAX_SCANS)
    assert read_image(tmp_path / "a.jpg").shape == (184, 184, 3)


def test_a_broken_file_object_is_refused():
    with pytest.raises(ImageError, match="^not an image"):
        read_image(io.BytesIO(b"just some text"))


def test_an_image_too_large_to_be_meant_is_refused(tmp_path, monkeypatch):
    path = saved(Image.fromarray(random_pixels(40, 40, 3)), tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ImageError, match="large.png"):
        read_image(path)


def test_errors_share_one_base():
    with pytest.raises(TfrnncError):
        as_rgb(np.zeros(3))


# Folders


def test_find_images_goes_by_extension_and_sorts(tmp_path):
    for name in ("b.png", "a.JPG", "deep/er/c.webp", "deep/note.txt", "deep/.hidden", "png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "folder.png").mkdir()
    names = [path.relative_to(tmp_path).as_posix() for path in find_images(str(tmp_path))]
    assert names == ["a.JPG", "b.png", "deep/er/c.webp"]


def test_floating_point_pixels_are_refused():
    with pytest.raises(ImageError, match="floating-point"):
        as_rgb(Image.new("F", (4, 4), 0.5))
