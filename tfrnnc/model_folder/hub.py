"""Models on the Hugging Face Hub, named as `hf://OWNER/NAME` or `hf://OWNER/NAME@REVISION`."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from tfrnnc.errors import InstallationError, ModelError
from tfrnnc.model_folder.file_names import (
    CONFIG_FILE,
    ENTROPY_LOG_FILE,
    ENTROPY_MODEL_FILE,
    INT8_FOLDER,
    LOG_FILE,
    MANIFEST_FILE,
    MODEL_CARD_FILE,
    WEIGHTS_FILE,
)

PREFIX = "hf://"

_EXPORTED = (MANIFEST_FILE, "encoder_*.tflite", "decoder_*.tflite")

#: What is downloaded of a repository; other files are none of the codec's. Those with 8-bit
#: arithmetic always come along: they are a quarter of it, and a model in the cache can then be
#: loaded with either arithmetic without a network.
FILES = (
    CONFIG_FILE,
    WEIGHTS_FILE,
    ENTROPY_MODEL_FILE,
    MODEL_CARD_FILE,
    LOG_FILE,
    ENTROPY_LOG_FILE,
    *_EXPORTED,
    *(f"{INT8_FOLDER}/{name}" for name in _EXPORTED),
)

_PART = r"[A-Za-z0-9][\w.-]{0,95}"
_ADDRESS = re.compile(rf"{PREFIX}(?P<repository>{_PART}/{_PART})(@(?P<revision>[\w./-]+))?")
#: How the hub's client names a file in its cache: by its SHA-256 in LFS, by git's SHA-1 if not.
_SHA256, _GIT_SHA1 = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{40}")


def is_hub_address(name_or_path: str | os.PathLike[str]) -> bool:
    """Whether a model's name begins with `hf://`."""
    return str(name_or_path).startswith(PREFIX)


def download_model(address: str) -> Path:
    """Downloads a model from the Hugging Face Hub, or finds it in the hub's cache.

    A branch or tag, and no revision at all, asks the hub what is newest; without a network the
    cache answers. A revision that is a commit's whole hash needs no network once it is there.

    Args:
        address: `hf://OWNER/NAME` or `hf://OWNER/NAME@REVISION`, with a branch, a tag or the hash
            of a commit.

    Returns:
        the folder of the files in the cache, which must not be written to.

    Raises:
        InstallationError: if the package huggingface_hub is not installed.
        ModelError: if the address is not understood, there is no such model, it cannot be reached,
            or its files are damaged.

    Examples:
        >>> download_model("hf://conv_lstm")
        Traceback (most recent call last):
        ...
        tfrnnc.errors.ModelError: hf://conv_lstm: a model on the Hugging Face Hub is named
        like hf://OWNER/NAME or hf://OWNER/NAME@REVISION
    """
    match = _ADDRESS.fullmatch(address)
    if not match:
        raise ModelError(
            f"{address}: a model on the Hugging Face Hub is named like hf://OWNER/NAME or "
            "hf://OWNER/NAME@REVISION"
        )
    folder = _download(address, match["repository"], match["revision"])
    # Where the repository has none of the files, there is no folder.
    for path in sorted(folder.rglob("*")):
        _check(address, path)
    if not any((folder / name).is_file() for name in (CONFIG_FILE, MANIFEST_FILE)):
        raise ModelError(
            f"{address}: not a tfrnnc model; the repository has neither {CONFIG_FILE} nor "
            f"{MANIFEST_FILE}"
        )
    return folder


def _download(address: str, repository: str, revision: str | None) -> Path:
    """The folder of a revision in the cache; see `download_model`."""
    try:
        from huggingface_hub import errors, snapshot_download
        from huggingface_hub.utils import tqdm
    except ImportError as error:
        raise InstallationError(
            f"{address} needs huggingface_hub ({error}); pip install 'tfrnnc[hub]'"
        ) from error

    progress_bar: Any = tqdm  # Any, as it has no types.

    def start_silently(bar: Any, *args: Any, **options: Any) -> None:
        """Starts a progress bar that shows nothing, as loading other models shows nothing."""
        progress_bar.__init__(bar, *args, **{**options, "disable": True})

    silent = type("Silent", (progress_bar,), {"__init__": start_silently})
    try:
        folder = snapshot_download(
            repository, revision=revision, allow_patterns=list(FILES), tqdm_class=silent
        )
    except errors.GatedRepoError as error:
        raise ModelError(
            f"{address}: its owner gives access on request; ask for it at the hub, then log in "
            "with hf auth login"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"{address}: the repository has no revision {revision}") from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(
            f"{address}: no such repository, or a private one; check the name, or log in with "
            "hf auth login"
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise ModelError(
            f"{address}: the hub cannot be reached and the cache has no complete copy "
            f"({_first_line(error.__cause__ or error)}); check the network, and HF_HUB_OFFLINE"
        ) from error
    except Exception as error:
        # The client lets errors of its HTTP library and of its threads through.
        raise ModelError(f"{address}: cannot be downloaded ({_first_line(error)})") from error
    return Path(folder)


def _check(address: str, path: Path) -> None:
    """Raises ModelError if a file is not the one that the hub listed.

    The client compares sizes only. Where its cache has symbolic links, they name the content by
    its hash; where it has none, as on Windows without developer mode, nothing is checked here.
    """
    if not path.is_symlink():
        return
    expected = Path(os.readlink(path)).name
    content = path.read_bytes()
    if _SHA256.fullmatch(expected):
        actual = hashlib.sha256(content).hexdigest()
    elif _GIT_SHA1.fullmatch(expected):
        header = b"blob %d\0" % len(content)
        actual = hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
    else:
        return
    if actual != expected:
        raise ModelError(
            f"{path}: damaged, or not the file that {address} has; remove it and "
            f"{path.resolve()}, and load the model again"
        )


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
