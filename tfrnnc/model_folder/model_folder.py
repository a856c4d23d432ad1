"""The folder of a model: what files it has, and what they hold."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfrnnc.bitstream import EntropyModel
from tfrnnc.bitstream.constants import ID_BYTES, MAX_ITERATIONS
from tfrnnc.bitstream.entropy_model import entropy_coded_id
from tfrnnc.errors import ConfigError, InstallationError, ModelError
from tfrnnc.files import open_regular, replacing
from tfrnnc.model_folder.file_names import (
    CONFIG_FILE,
    ENTROPY_LOG_FILE,
    ENTROPY_MODEL_FILE,
    ENTROPY_SETTINGS_FILE,
    ENTROPY_WEIGHTS_FILE,
    INT8_FOLDER,
    LOG_FILE,
    MANIFEST_FILE,
    MODEL_CARD_FILE,
    SETTINGS_FILE,
    WEIGHTS_FILE,
)
from tfrnnc.model_folder.identity import ModelIdentity
from tfrnnc.model_folder.json_fields import FieldError, Fields, read_all, read_json
from tfrnnc.model_folder.manifest import MAX_CHANNELS, Manifest

MAX_LAYERS = 256  #: of an encoder or a decoder
MAX_ENTROPY_MODEL_BYTES = 1 << 28  #: the default preset's has 208,692

#: What a model's TFLite files compute in: those of its folder, or those of its folder int8/.
ARITHMETICS = ("float32", "int8")

INSTALL_PRESETS = "pip install ./presets, in a clone of tfrnnc's repository"


@dataclass(frozen=True)
class ModelConfig:
    """What `config.json` holds.

    Attributes:
        settings: of the model, as `tfrnnc.model_folder.keras_model.model_from_config` takes them.
        model_id: identity of the weights.
    """

    settings: dict[str, Any]
    model_id: bytes


@dataclass(frozen=True)
class ModelFolder:
    """The folder of a model, as `tfrnnc-train`, `tfrnnc-export` and presets have it.

    Nothing is read before it is asked for, and any file may be missing: a training run has no
    TFLite files, and an exported model nothing else. `os.fspath` gives the path.

    Args:
        path: of the folder.
        preset: the name of the preset that it is; None if it is none.
        weights_folder: where the weights that Keras loads are, if not with the rest.

    Attributes:
        path: the same, like the others.
    """

    path: Path
    preset: str | None = None
    weights_folder: Path | None = None

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def config_path(self) -> Path:
        """The model's settings and identity."""
        return self.path / CONFIG_FILE

    @property
    def weights_path(self) -> Path:
        """The weights that Keras loads."""
        return (self.weights_folder or self.path) / WEIGHTS_FILE

    @property
    def manifest_path(self) -> Path:
        """The description of the TFLite files."""
        return self.path / MANIFEST_FILE

    @property
    def int8_path(self) -> Path:
        """The folder of further TFLite files, which compute in 8 bits, and of their manifest."""
        return self.path / INT8_FOLDER

    @property
    def entropy_model_path(self) -> Path:
        """The entropy model."""
        return self.path / ENTROPY_MODEL_FILE

    @property
    def entropy_weights_path(self) -> Path:
        """The weights of the network that the entropy model was made from."""
        return (self.weights_folder or self.path) / ENTROPY_WEIGHTS_FILE

    @property
    def has_entropy_weights(self) -> bool:
        """Whether the entropy model can be trained further."""
        return self.entropy_weights_path.is_file()

    @property
    def has_config(self) -> bool:
        """Whether a model was saved here, or its preset describes it."""
        return self.config_path.is_file()

    @property
    def has_weights(self) -> bool:
        """Whether Keras can load the model."""
        return self.weights_path.is_file()

    def require_weights(self) -> Path:
        """The file of the weights that Keras loads, as far as a package could bring it.

        Raises:
            InstallationError: if they are those of a preset and their package is not installed.
        """
        if self.preset is not None and self.weights_folder is None and not self.has_weights:
            raise InstallationError(
                f"{self.preset}: the weights that Keras loads are in the package tfrnnc-presets, "
                f"which is not installed; {INSTALL_PRESETS}"
            )
        return self.weights_path

    @property
    def is_exported(self) -> bool:
        """Whether there are TFLite files."""
        return self.manifest_path.is_file()

    def default_runtime(self, arithmetic: str = "float32") -> str:
        """What runs the model unless told otherwise: "litert" or "keras", which has no int8.

        Args:
            arithmetic: one of `ARITHMETICS`.
        """
        return "litert" if self.is_exported or arithmetic == "int8" else "keras"

    @property
    def has_entropy_model(self) -> bool:
        """Whether there is an entropy model."""
        return self.entropy_model_path.is_file()

    @property
    def is_training_run(self) -> bool:
        """Whether a training run has begun here."""
        return (self.path / SETTINGS_FILE).is_file()

    @property
    def has_entropy_settings(self) -> bool:
        """Whether the entropy model was trained by itself, after the codec."""
        return (self.path / ENTROPY_SETTINGS_FILE).is_file()

    def read_config(self) -> ModelConfig:
        """What `config.json` holds.

        Raises:
            ModelError: if it is missing or broken.
        """
        try:
            return read_all(read_json(self.config_path), _config)
        except OSError as error:
            raise ModelError(
                f"{self}: holds no {CONFIG_FILE}; give a preset's name or a folder that "
                "tfrnnc-train wrote"
            ) from error
        except FieldError as error:
            raise ModelError(f"{self.config_path}: not a model's settings ({error})") from error

    def exported_path(self, arithmetic: str = "float32") -> Path:
        """The folder of the TFLite files that compute so, and of their manifest.

        Args:
            arithmetic: one of `ARITHMETICS`.

        Raises:
            ConfigError: if there is no such arithmetic.
        """
        if arithmetic not in ARITHMETICS:
            raise ConfigError(
                f"there is no arithmetic {arithmetic!r}; there are 'float32' and 'int8'"
            )
        return self.int8_path if arithmetic == "int8" else self.path

    def read_manifest(self, arithmetic: str = "float32") -> Manifest:
        """What the manifest of the TFLite files holds.

        Args:
            arithmetic: as for `exported_path`.

        Raises:
            ConfigError: if there is no such arithmetic.
            ModelError: if the manifest is missing or broken.
        """
        path = self.exported_path(arithmetic)
        if arithmetic == "int8" and not path.is_dir():
            raise ModelError(
                f"{self}: has no TFLite files that compute in 8 bits (in {INT8_FOLDER}/); make "
                f"some with tfrnnc-export --quantize dynamic {self.preset or self} FOLDER, and "
                "load FOLDER as it is"
            )
        return Manifest.read(path)

    def read_entropy_model(self) -> EntropyModel | None:
        """The entropy model; None if there is none.

        Raises:
            ModelError: if it is broken.
        """
        content = self._read_entropy_model()
        if content is None:
            return None
        try:
            return EntropyModel.from_bytes(content)
        except ModelError as error:
            raise ModelError(
                f"{self.entropy_model_path}: {error}; train it again, or remove it"
            ) from error

    def read_identity(self) -> ModelIdentity:
        """The identity of the model: of its weights, or of the TFLite files if there is no config.

        Raises:
            ModelError: if a file is broken, or there is neither.
        """
        if self.has_config or not self.is_exported:
            model_id = self.read_config().model_id
        else:
            model_id = bytes.fromhex(self.read_manifest().model_id)
        content = self._read_entropy_model()
        return ModelIdentity(
            model_id, None if content is None else entropy_coded_id(content), self.preset
        )

    def read_settings(self) -> dict[str, Any]:
        """All that repeats the training, as `tfrnnc-train` wrote it.

        Raises:
            ModelError: if it is missing or broken.
        """
        return self._read_object(SETTINGS_FILE)

    def read_entropy_settings(self) -> dict[str, Any]:
        """All that repeats the training of the entropy model.

        Raises:
            ModelError: if it is missing or broken.
        """
        return self._read_object(ENTROPY_SETTINGS_FILE)

    def read_log(self) -> list[dict[str, str]]:
        """What the training measured, one row after each epoch, by the names of its columns.

        Raises:
            ModelError: if it is missing or broken.
        """
        return self._read_table(LOG_FILE)

    def read_entropy_log(self) -> list[dict[str, str]]:
        """What the training of the entropy model measured.

        Raises:
            ModelError: if it is missing or broken.
        """
        return self._read_table(ENTROPY_LOG_FILE)

    def read_model_card(self) -> str:
        """What a preset's card says of it.

        Raises:
            ModelError: if it is missing or broken.
        """
        path = self.path / MODEL_CARD_FILE
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ModelError(f"{path}: cannot be read ({error}); only presets have one") from error

    def copy_entropy_model(self, to: ModelFolder) -> bool:
        """Copies the entropy model, if there is one, to another folder.

        Returns:
            whether there is one.
        """
        if not self.has_entropy_model:
            return False
        with replacing(to.entropy_model_path) as temporary:
            shutil.copyfile(self.entropy_model_path, temporary)
        return True

    def copy_logs(self, to: ModelFolder) -> None:
        """Copies what was measured in training, as far as it is there, to another folder."""
        for name in (LOG_FILE, ENTROPY_LOG_FILE):
            if (self.path / name).is_file():
                with replacing(to.path / name) as temporary:
                    shutil.copyfile(self.path / name, temporary)

    def write_model_card(self, text: str) -> None:
        """Writes a preset's card."""
        with replacing(self.path / MODEL_CARD_FILE) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def _read_entropy_model(self) -> bytes | None:
        try:
            with open_regular(self.entropy_model_path) as file:
                content = file.read(MAX_ENTROPY_MODEL_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ModelError(f"{self.entropy_model_path}: {error.strerror}") from error
        if len(content) > MAX_ENTROPY_MODEL_BYTES:
            raise ModelError(
                f"{self.entropy_model_path}: larger than {MAX_ENTROPY_MODEL_BYTES:,} bytes; "
                "train it again, or remove it"
            )
        return content

    def _read_object(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            return read_json(path).values()
        except (OSError, FieldError) as error:
            raise ModelError(f"{path}: cannot be read ({error}); tfrnnc-train writes it") from error

    def _read_table(self, name: str) -> list[dict[str, str]]:
        path = self.path / name
        try:
            with path.open(newline="", encoding="utf-8") as file:
                return list(csv.DictReader(file))
        except (OSError, ValueError, csv.Error) as error:
            raise ModelError(f"{path}: cannot be read ({error}); tfrnnc-train writes it") from error


def _config(fields: Fields) -> ModelConfig:
    settings = {
        "arch": fields.text("arch", "[a-z0-9_]{1,40}", "the name of an architecture"),
        "encoder": fields.texts("encoder", 0, MAX_LAYERS),
        "bits": fields.integer("bits", 1, MAX_CHANNELS),
        "decoder": fields.texts("decoder", 0, MAX_LAYERS),
        "iterations": fields.integer("iterations", 1, MAX_ITERATIONS),
        "stage_weights": fields.choice("stage_weights", ["shared", "distinct"]),
    }
    return ModelConfig(settings, bytes.fromhex(fields.hexadecimal("model_id", ID_BYTES)))
