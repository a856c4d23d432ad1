"""Which model it is: one type for what streams, files, messages and cards say of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelIdentity:
    """The identity of a model, written the same wherever it is shown.

    A stream carries 4 bytes: those of the model's weights, or, if it is entropy-coded, those of the
    model and its entropy model together.

    Args:
        model_id: see the attributes, like the others.

    Attributes:
        model_id: of the weights, as streams carry it that are not entropy-coded; None if it is not
            known.
        entropy_coded_id: as entropy-coded streams carry it; None if the model has no entropy
            model, or it is not known.
        preset: the name of the preset that it is; None if it is none.

    Examples:
        >>> trained, coded = bytes.fromhex("a0f2bb18"), bytes.fromhex("47e8baf9")
        >>> str(ModelIdentity(trained, coded, "conv_lstm_thumbnails"))
        'conv_lstm_thumbnails a0f2bb18 (entropy-coded 47e8baf9)'
        >>> str(ModelIdentity(trained))
        'model a0f2bb18'
    """

    model_id: bytes | None
    entropy_coded_id: bytes | None = None
    preset: str | None = None

    @property
    def ids(self) -> str:
        """Both identities in hexadecimal, without the name."""
        model = self.model_id.hex() if self.model_id else "unknown"
        coded = self.entropy_coded_id
        return f"{model} (entropy-coded {coded.hex()})" if coded else model

    def stream_id(self, entropy_coded: bool) -> bytes | None:
        """What streams of this model carry; None if it is not known."""
        return self.entropy_coded_id if entropy_coded else self.model_id

    def __str__(self) -> str:
        return f"{self.preset or 'model'} {self.ids}"
