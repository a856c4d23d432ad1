import io

import numpy as np
import pytest
from PIL import Image

from tfrnnc.errors import ImageError, TfrnncError
from tfrnnc.images import EXTENSIONS, as_rgb, find_images, read_image, to_float, to_uint8

LEVELS = np.arange(256, dtype=np.uint8)
ORIENTATION = 0x0112
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


def test_32_bit_grayscale_counts_as_16_bit():
    image = Image.fromarray(np.array([[0, 257 * 7, 65535]], np.int32))
    assert image.mode == "I"
    assert as_rgb(image)[0, :, 0].tolist() == [0, 7, 255]


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda pixels: pixels),
        (2, lambda pixels: pixels[:, ::-1]),
        (3, lambda pixels: pixels[::-1, ::-1]),
        (6, lambda pixels: np.rot90(pixels, -1)),
        (8, np.rot90),
    ],
)
def test_exif_orientation_is_applied(tmp_path, orientation, turn):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image = Image.fromarray(random_pixels(16, 24, 3))
    path = saved(image, tmp_path / "turned.jpg", exif=exif, quality=95, subsampling=0)
    plain = saved(image, tmp_path / "plain.jpg", quality=95, subsampling=0)
    np.testing.assert_array_equal(read_image(path), turn(read_image(plain)))


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


@pytest.mark.parametrize("background", ["no such colour", "#12", ""])
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


@pytest.mark.parametrize("shape", [(0, 4), (0, 4, 3), (4, 0, 3), (4, 0, 1)])
def test_empty_arrays_are_refused(shape):
    with pytest.raises(ImageError, match="no pixels"):
        as_rgb(np.zeros(shape, np.uint8))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match="nowhere.png: no such file"):
        read_image(tmp_path / "nowhere.png")


@pytest.mark.parametrize("content", [b"", b"just some text", b"\x89PNG\r\n\x1a\n"], ids=repr)
def test_a_file_that_is_no_image_is_named(tmp_path, content):
    path = tmp_path / "text.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match="text.png: not an image"):
        read_image(path)


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(ImageError, match=tmp_path.name):
        read_image(tmp_path)


@pytest.mark.parametrize("extension", WRITABLE)
def test_a_truncated_file_is_named(tmp_path, extension):
    path = saved(Image.fromarray(random_pixels(40, 40, 3)), tmp_path / f"half{extension}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=f"half{extension}"):
        read_image(path)


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
