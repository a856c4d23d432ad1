import io
import struct

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from make_wide_gamut import wide_gamut_profile
from tfrnnc.cicp import CodePoints, profile_of, read_code_points
from tfrnnc.image_metadata import PNG
from tfrnnc.images import as_rgb, read_image

BT709, BT2020, DISPLAY_P3 = 1, 9, 12
LINEAR, SRGB, PQ, HLG = 8, 13, 16, 18
#: From linear light of these primaries to that of sRGB.
TO_SRGB = {
    DISPLAY_P3: [[1.2249, -0.2247, 0], [-0.042, 1.0419, 0], [-0.0197, -0.0786, 1.0979]],
    BT2020: [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    BT709: np.eye(3),
}
PIXELS = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


def srgb(pixels, primaries, transfer=SRGB):
    """What pixels of other colours are in sRGB."""
    values = pixels / 255
    if transfer != LINEAR:
        values = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    linear = np.clip(values @ np.array(TO_SRGB[primaries]).T, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return 255 * curved


def png(*points, matrix=0, image=None, **options):
    """A PNG with code points: primaries, transfer and whether the range is full."""
    info = PngImagePlugin.PngInfo()
    info.add(b"cICP", bytes([*points[:2], matrix, *points[2:]]))
    file = io.BytesIO()
    (image or Image.fromarray(PIXELS)).save(file, "PNG", pnginfo=info, **options)
    return file.getvalue()


def avif(*points, **options):
    """An AVIF file with code points: primaries and transfer."""
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "AVIF", quality=100, subsampling="4:4:4", **options)
    content = file.getvalue()
    start = content.index(b"nclx") + 4
    return content[:start] + struct.pack(">HH", *points) + content[start + 4 :]


def box(name, *contents):
    content = b"".join(contents)
    return struct.pack(">I4s", 8 + len(content), name) + content


# What is read


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("is_wide", [False, True])
def test_the_colours_of_an_avif_file_are_those_of_its_primary_image(version, is_wide):
    number = "I" if version else "H"
    index = "H" if is_wide else "B"
    essential = 0x8000 if is_wide else 0x80
    entries = [struct.pack(f">{number}B3{index}", 1, 3, 1, 2, 4)]
    entries += [struct.pack(f">{number}B3{index}", 2, 3, 1, essential | 4, 3)]
    colours = [
        box(b"colr", b"nclx", struct.pack(">HHHB", *one, 6, 0x80)) for one in [(9, 16), (12, 13)]
    ]
    head = bytes([version, 0, 0, is_wide])
    content = box(b"ftyp", b"avif", bytes(4)) + box(
        b"meta",
        bytes(4),
        box(b"pitm", bytes([version, 0, 0, 0]), struct.pack(f">{number}", 2)),
        box(
            b"iprp",
            box(b"ipco", box(b"ispe", bytes(12)), colours[0], box(b"pixi", bytes(4)), colours[1]),
            box(b"ipma", head, struct.pack(">I", 2), *entries),
        ),
    )
    assert read_code_points(io.BytesIO(content)) == CodePoints(DISPLAY_P3, SRGB, True)
    for end in range(len(content)):
        assert read_code_points(io.BytesIO(content[:end])) is None


def test_a_png_without_code_points_or_with_wrong_ones():
    assert read_code_points(io.BytesIO(png(9, 16, 1))) == CodePoints(BT2020, PQ, True)
    assert read_code_points(io.BytesIO(png(9, 16, 1, matrix=6))) is None
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    assert read_code_points(file) is None
    content = png(9, 16, 1)
    for end in range(content.index(b"cICP") + 8):
        assert read_code_points(io.BytesIO(content[:end])) is None


@pytest.mark.parametrize("start", [PNG, b"\0\0\0\x08ftyp", avif(12, 13)[:120], b"RIFF"])
def test_any_bytes_are_taken(start):
    rng = np.random.default_rng(0)
    for length in range(200):
        data = start + rng.integers(0, 256, length, np.uint8).tobytes()
        assert isinstance(read_code_points(io.BytesIO(data)), CodePoints | None)


def test_boxes_without_end_are_left():
    content = box(b"ftyp") + 100_000 * box(b"free") + avif(12, 13)

    class Counted(io.BytesIO):
        reads = 0

        def read(self, *size):
            self.reads += 1
            return super().read(*size)

    file = Counted(content)
    assert read_code_points(file) is None
    assert file.reads < 2000


# What becomes of it


@pytest.mark.parametrize("transfer", [1, 2, 6, 13, 14, 15])
@pytest.mark.parametrize("primaries", [BT2020, DISPLAY_P3])
def test_wide_colours_are_converted_to_srgb(primaries, transfer):
    expected = srgb(PIXELS, primaries)
    assert abs(expected - PIXELS).max() > 40
    content = png(primaries, transfer, 1)
    np.testing.assert_allclose(read_image(io.BytesIO(content)), expected, atol=2)
    with Image.open(io.BytesIO(content)) as image:
        np.testing.assert_allclose(as_rgb(image), expected, atol=2)
    decoded = read_image(io.BytesIO(avif(BT709, SRGB)))
    pixels = read_image(io.BytesIO(avif(primaries, transfer)))
    np.testing.assert_allclose(pixels, srgb(decoded, primaries), atol=2)


def test_other_curves_are_converted():
    pixels = read_image(io.BytesIO(png(BT709, LINEAR, 1)))
    np.testing.assert_allclose(pixels, srgb(PIXELS, BT709, LINEAR), atol=2)


@pytest.mark.parametrize("points", [(1, 13), (2, 2), (1, 1), (1, 6)])
def test_what_is_srgb_stays_as_it_is(points, caplog):
    np.testing.assert_array_equal(read_image(io.BytesIO(png(*points, 1))), PIXELS)
    decoded = read_image(io.BytesIO(avif(BT709, SRGB)))
    np.testing.assert_array_equal(read_image(io.BytesIO(avif(*points))), decoded)
    assert not caplog.text


def test_gray_images_stay_as_they_are():
    levels = np.arange(256, dtype=np.uint8)[None]
    content = png(DISPLAY_P3, SRGB, 1, image=Image.fromarray(levels))
    np.testing.assert_allclose(read_image(io.BytesIO(content))[0, :, 0], levels[0], atol=1)


@pytest.mark.parametrize(
    ("points", "named"),
    [
        ((BT2020, PQ, 1), "primaries 9, transfer PQ"),
        ((BT2020, HLG, 1), "primaries 9, transfer HLG"),
        ((DISPLAY_P3, 99, 1), "primaries 12, transfer 99"),
        ((22, SRGB, 1), "primaries 22, transfer 13"),
        ((BT709, SRGB, 0), "primaries 1, transfer 13, of limited range"),
    ],
)
def test_what_cannot_be_converted_is_told(tmp_path, caplog, points, named):
    path = tmp_path / "bright.png"
    path.write_bytes(png(*points))
    np.testing.assert_array_equal(read_image(path), PIXELS)
    assert f"bright.png: its colours ({named}) cannot be converted and are taken" in caplog.text
    if points[2]:
        caplog.clear()
        path.write_bytes(avif(*points[:2]))
        np.testing.assert_array_equal(read_image(path), read_image(io.BytesIO(avif(1, 13))))
        assert f"its colours ({named}) cannot" in caplog.text


def test_in_a_png_they_count_before_a_profile_where_they_can_be_used(caplog):
    profile = {"icc_profile": wide_gamut_profile()}
    pixels = read_image(io.BytesIO(png(BT709, SRGB, 1, **profile)))
    np.testing.assert_array_equal(pixels, PIXELS)
    by_profile = read_image(io.BytesIO(png(BT2020, PQ, 1, **profile)))
    assert abs(by_profile.astype(int) - PIXELS).max() > 40
    assert not caplog.text


def test_in_an_avif_file_a_profile_counts_before_them(caplog):
    content = avif(BT709, SRGB, icc_profile=wide_gamut_profile())
    other = avif(BT2020, PQ, icc_profile=wide_gamut_profile())
    np.testing.assert_array_equal(read_image(io.BytesIO(content)), read_image(io.BytesIO(other)))
    assert not caplog.text


def test_they_are_kept_where_other_metadata_cannot_be_read(caplog):
    """Here a text that is larger than Pillow allows."""
    info = PngImagePlugin.PngInfo()
    info.add(b"cICP", bytes([DISPLAY_P3, SRGB, 0, 1]))
    info.add_text("much", "x" * (PngImagePlugin.MAX_TEXT_CHUNK + 1), zip=True)
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG", pnginfo=info)
    pixels = read_image(file)
    assert "the metadata cannot be read" in caplog.text
    np.testing.assert_allclose(pixels, srgb(PIXELS, DISPLAY_P3), atol=2)


def test_profiles_have_the_known_colours():
    """Those of Display P3, as its profiles have them."""
    profile = profile_of(CodePoints(DISPLAY_P3, SRGB, True))
    for name, expected in (
        (b"rXYZ", (0.51512, 0.2412, -0.00105)),
        (b"gXYZ", (0.29198, 0.69225, 0.04189)),
        (b"bXYZ", (0.1571, 0.06657, 0.78407)),
    ):
        (start,) = struct.unpack_from(">I", profile, profile.index(name) + 4)
        values = np.array(struct.unpack_from(">3i", profile, start + 8)) / 65536
        np.testing.assert_allclose(values, expected, atol=2e-4)
