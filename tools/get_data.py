"""Fetches the data sets that models are trained with and measured on, each from its public home.

    python tools/get_data.py [SET ...] [--folder data] [--list]

Without names it fetches all sets of tools/data.json into the folder `data`, which the Makefile's
targets take. What is there and whole is not fetched again, and a file that was cut goes on where it
stopped: after an interruption, run the same command. Every file is compared with the manifest
before it takes its name: archives by their hash, lossless pictures by the hash of their pixels, and
crops, which are stored as JPEG, by the mean brightness of 16 parts. --list names the sets with
homes and licences, and those that have no public home.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import click
import numpy as np
from PIL import Image
from tqdm import tqdm

from download import download
from tfrnnc.cli.common import command
from tfrnnc.errors import ConfigError, DataError, TfrnncError
from tfrnnc.files import replacing

MANIFEST = Path(__file__).parent / "data.json"
MAX_DIFFERENCE = 4  #: of a part's mean brightness, from 0 to 255, by which JPEG encoders may differ
PARTS = 4  #: of a crop in each direction
PARTIAL = ".partial"  #: folder of what is not whole yet
SHOWN_FAILURES = 10
VALIDATION_SIDE = 32  #: pixels of the thumbnails to measure on


@command()
@click.argument("names", metavar="[SET]...", nargs=-1)
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default="data", show_default=True
)
@click.option(
    "--manifest", type=click.Path(path_type=Path), default=MANIFEST, help="Instead of data.json."
)
@click.option("--list", "only_list", is_flag=True, help="List the data sets and their licences.")
def main(names, folder, manifest, only_list):
    """Fetch data sets from their public homes."""
    content = json.loads(manifest.read_text(encoding="utf-8"))
    sets = content["sets"]
    if only_list:
        click.echo(listing(content))
        return
    if unknown := [name for name in names if name not in sets]:
        raise click.UsageError(f"{unknown[0]}: none of {', '.join(sets)}")
    failures: list[str] = []
    for name in names or sets:
        click.echo(f"{name}: {sets[name]['about']}\n  licence: {sets[name]['licence']}")
        failures += KINDS[sets[name]["kind"]](sets[name], folder, name)
    with suppress(OSError):  # Other sets may be half-way there.
        (folder / PARTIAL).rmdir()
    if failures:
        raise DataError(summary(failures))


def summary(failures: Sequence[str]) -> str:
    """What failed, and what to do."""
    lines = [f"{len(failures)} could not be had:", *failures[:SHOWN_FAILURES]]
    if len(failures) > SHOWN_FAILURES:
        lines.append(f"and {len(failures) - SHOWN_FAILURES} more")
    return "\n  ".join(lines) + "\nWhat is whole is kept; the same command tries the others again"


def listing(content: dict) -> str:
    """The data sets in words, those without a public home too."""
    lines = []
    for name, one in content["sets"].items():
        lines += [
            f"{name}: {one['about']}",
            f"  home: {one['home']}",
            f"  licence: {one['licence']}",
        ]
    lines += ["", "Without a public home:"]
    lines += [f"  {name}: {why}" for name, why in content["without_a_home"].items()]
    return "\n".join(lines)


def get_files(one: dict, folder: Path, name: str) -> list[str]:
    """Fetches pictures that are kept as they are; returns what failed.

    Args:
        one: the set, as the manifest has it.
        folder: of all data.
        name: of the set.
    """

    def get(entry: dict) -> None:
        target = inside(folder, entry["target"])
        if target.is_file() and pixels_hash(target) == entry["pixels_sha256"]:
            return
        part = partial(folder, entry["url"])
        download(entry["url"], part)
        if pixels_hash(part) != entry["pixels_sha256"]:
            part.unlink()
            raise DataError(
                f"{entry['url']}: not the picture that the manifest names, as the hash of its "
                "pixels shows; get it from another place and put it at " + str(target)
            )
        put(part, target)

    return each(one["files"], get, name)


def get_crops(one: dict, folder: Path, name: str) -> list[str]:
    """Fetches photos and keeps crops of them, as JPEG; returns what failed."""

    def get(source: dict) -> None:
        missing = [crop for crop in source["crops"] if not is_crop(inside(folder, crop[0]), crop)]
        if not missing:
            return
        part = partial(folder, source["url"])
        download(source["url"], part)
        try:
            photo = sized(part, tuple(source["size"]))
            for crop in missing:
                write_crop(photo, crop, one, inside(folder, crop[0]))
        except DataError as error:
            raise DataError(f"{source['url']}: {error}") from error
        finally:
            part.unlink()

    return each(one["sources"], get, name)


def write_crop(photo: Image.Image, crop: Sequence, one: dict, path: Path) -> None:
    """Cuts a crop of the manifest out of its photo.

    Raises:
        DataError: if it is not what the manifest says of it.
    """
    target, left, top, _ = crop
    width, height = one["crop"]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        photo.crop((left, top, left + width, top + height)).save(
            temporary, "JPEG", quality=one["quality"], subsampling=0, optimize=True
        )
        if not is_crop(temporary, crop):
            raise DataError(f"the photo has changed: its part {target} is not what it was")


def get_thumbnails(one: dict, folder: Path, name: str) -> list[str]:
    """Fetches Tiny ImageNet and keeps some of its images, evenly from all; returns what failed."""

    def get(one: dict) -> None:
        if all(count(folder / name / part) == one[part] for part in ("train", "val")):
            return
        if (folder / name).exists():
            raise DataError(f"{folder / name}: has other files; remove it, and fetch it again")
        archive = partial(folder, one["url"])
        if not (archive.is_file() and file_hash(archive, "md5") == one["md5"]):
            download(one["url"], archive)
        if file_hash(archive, "md5") != one["md5"]:
            archive.unlink()
            raise DataError(f"{one['url']}: another file than the manifest names; its MD5 differs")
        made = folder / PARTIAL / name
        shutil.rmtree(made, ignore_errors=True)
        unpack(archive, made, one["train"], one["val"])
        made.rename(folder / name)
        archive.unlink()

    return each([one], get, name)


def unpack(archive: Path, folder: Path, train: int, val: int) -> None:
    """Takes thumbnails out of Tiny ImageNet's archive.

    Args:
        archive: that was verified.
        folder: to make.
        train: how many images of its training set, as they are.
        val: how many of its validation set, halved to `VALIDATION_SIDE` pixels.
    """
    with zipfile.ZipFile(archive) as files:
        images = sorted(each for each in files.namelist() if each.lower().endswith(".jpeg"))
        for part, wanted in (("train", train), ("val", val)):
            (folder / part).mkdir(parents=True)
            for number, member in enumerate(evenly(images, f"/{part}/", wanted), start=1):
                if part == "train":
                    (folder / part / f"{number:05}.jpg").write_bytes(files.read(member))
                    continue
                with files.open(member) as file, Image.open(file) as image:
                    side = (VALIDATION_SIDE, VALIDATION_SIDE)
                    small = image.convert("RGB").resize(side, Image.Resampling.LANCZOS)
                small.save(folder / part / f"{number:04}.png", optimize=True)


def evenly(names: Sequence[str], part: str, wanted: int) -> list[str]:
    """Some of the names that hold a part, evenly from all of these.

    Raises:
        DataError: if there are too few.
    """
    found = [name for name in names if part in name]
    if len(found) < wanted:
        raise DataError(f"the archive has {len(found)} images below {part}, not {wanted}")
    return [found[number * len(found) // wanted] for number in range(wanted)]


def each(entries: Sequence[dict], get: Callable[[dict], None], name: str) -> list[str]:
    """Fetches all that it can; returns what is said of the others."""
    failures = []
    for entry in tqdm(entries, desc=name, unit="file", disable=None):
        try:
            get(entry)
        except TfrnncError as error:
            failures.append(str(error))
    return failures


def sized(path: Path, size: tuple[int, ...]) -> Image.Image:
    """A photo at its size in the manifest, halved if it is twice as large.

    Raises:
        DataError: if it has another size.
    """
    try:
        with Image.open(path) as image:
            photo = image.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"no image that can be read ({error})") from error
    if photo.size == size:
        return photo
    if all(abs(have - 2 * want) <= 1 for have, want in zip(photo.size, size, strict=True)):
        return photo.resize(size, Image.Resampling.LANCZOS)
    raise DataError(
        f"the photo has changed: {photo.width}x{photo.height} pixels, neither {size[0]}x{size[1]} "
        "nor twice that"
    )


def is_crop(path: Path, crop: Sequence) -> bool:
    """Whether a file is the crop of the manifest: its target, left, top and 16 means, in hex."""
    if not path.is_file():
        return False
    expected = np.frombuffer(bytes.fromhex(crop[3]), np.uint8).astype(int)
    try:
        with Image.open(path) as image:
            grey = np.asarray(image.convert("RGB").convert("L"), np.float64)
    except (OSError, SyntaxError, ValueError):
        return False
    height, width = grey.shape
    if height % PARTS or width % PARTS:
        return False
    parts = grey.reshape(PARTS, height // PARTS, PARTS, width // PARTS).mean(axis=(1, 3)).ravel()
    return bool(np.abs(parts - expected).max() <= MAX_DIFFERENCE)


def pixels_hash(path: Path) -> str:
    """SHA-256 of a picture's RGB values; nothing if it is no picture."""
    try:
        with Image.open(path) as image:
            return hashlib.sha256(np.asarray(image.convert("RGB")).tobytes()).hexdigest()
    except (OSError, SyntaxError, ValueError):
        return ""


def file_hash(path: Path, algorithm: str) -> str:
    """Of a file's bytes."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def count(folder: Path) -> int:
    """How many files a folder has."""
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


def inside(folder: Path, target: str) -> Path:
    """A file of the folder.

    Raises:
        ConfigError: if the manifest names one outside of it.
    """
    path = Path(target)
    if path.is_absolute() or ".." in path.parts:
        raise ConfigError(f"{target}: the manifest names a file outside of the folder")
    return folder / path


def partial(folder: Path, url: str) -> Path:
    """Where a file is kept until it is whole and verified."""
    name = url.rpartition("/")[2]
    return folder / PARTIAL / f"{hashlib.sha256(url.encode()).hexdigest()[:12]}_{name}"


def put(part: Path, target: Path) -> None:
    """Gives a verified file its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)


KINDS: dict[str, Callable[[dict, Path, str], Iterable[str]]] = {
    "files": get_files,
    "crops": get_crops,
    "tiny-imagenet": get_thumbnails,
}


if __name__ == "__main__":
    main()
