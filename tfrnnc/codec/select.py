"""Finds the codec that a stream was made with."""

from __future__ import annotations

from functools import partial

from tfrnnc.bitstream import read_header
from tfrnnc.codec.codec import Codec, load
from tfrnnc.errors import WrongModelError
from tfrnnc.model_folder.presets import identify


class CodecSelector:
    """Gives each stream the codec of the preset that it names, loading each once.

    Args:
        model: use this preset or model folder for all streams instead; it is loaded at once.
        runtime, threads, arithmetic: as for `load`.

    Raises:
        ModelError: if `model` cannot be loaded.
        InstallationError: if Keras or the hub's client is needed for it and not installed.
    """

    def __init__(
        self,
        model: str | None = None,
        runtime: str | None = None,
        threads: int | None = None,
        arithmetic: str = "float32",
    ):
        self.model = model
        self._load = partial(load, runtime=runtime, threads=threads, arithmetic=arithmetic)
        self._codecs: dict[str, Codec] = {}
        if model is not None:
            self._codecs[model] = self._load(model)

    def __call__(self, data: bytes) -> Codec:
        """The codec for a stream.

        Raises:
            StreamError: if the stream's header cannot be read, or it was made by a model that
                is none of the presets.
            InstallationError: if that preset is not installed.
            ModelError: if the model cannot be loaded.
        """
        header, _ = read_header(data)
        maker = identify(header.model_id, header.entropy_coded)
        name = self.model or maker.preset
        if name is None:
            raise WrongModelError(
                f"the stream was made by {maker}, which is none of the presets; give the folder of "
                "that model (--model)"
            )
        if name not in self._codecs:
            self._codecs[name] = self._load(name)
        return self._codecs[name]
