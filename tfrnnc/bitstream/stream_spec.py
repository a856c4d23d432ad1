"""What streams need of a model."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tfrnnc.bitstream.constants import MAX_ITERATIONS
from tfrnnc.bitstream.entropy_model import EntropyModel
from tfrnnc.bitstream.header import Header
from tfrnnc.errors import WrongModelError


@dataclass(frozen=True)
class StreamSpec:
    """What writing and reading streams need of a model.

    Attributes:
        model_id: identity of the codec model.
        stride: pixels between two locations of the latent bits.
        bits: bits at each location, for each iteration.
        iterations: most iterations of a stream.
        entropy_model: gives the probabilities of the bits; None for streams that are not
            entropy-coded.
    """

    model_id: bytes
    stride: int
    bits: int
    iterations: int = MAX_ITERATIONS
    entropy_model: EntropyModel | None = None

    @property
    def stream_id(self) -> bytes:
        """The identity that streams carry."""
        return self.entropy_model.entropy_coded_id if self.entropy_model else self.model_id

    def without_entropy_model(self) -> StreamSpec:
        """The same for streams that are not entropy-coded."""
        return replace(self, entropy_model=None)

    def header(
        self,
        width: int,
        height: int,
        *,
        headerless: bool = False,
        adaptive: bool = False,
        downscale: int = 1,
    ) -> Header:
        """The header of streams of this model.

        Args:
            width: of the image in pixels.
            height: of the image in pixels.
            headerless: for streams that are kept without it: not checked, with an open end and as
                many iterations as the model has, so that it fits all of them.
            adaptive: whether each location takes its own number of iterations.
            downscale: 2 if the image is encoded at half its width and height.
        """
        return Header(
            self.stream_id,
            width,
            height,
            self.iterations,
            entropy_coded=self.entropy_model is not None,
            checked=not headerless,
            open_end=headerless,
            adaptive=adaptive,
            downscale=downscale,
        )

    def entropy_model_of(self, header: Header, iterations: int) -> EntropyModel | None:
        """The entropy model that a stream's bits are read with; None if it has none.

        Args:
            header: of the stream.
            iterations: how many are to be read.

        Raises:
            WrongModelError: if it is missing, or the model has fewer iterations.
        """
        model = self.entropy_model if header.entropy_coded else None
        if header.entropy_coded and model is None:
            raise WrongModelError("the stream is entropy-coded, but there is no entropy model")
        known = min(self.iterations, len(model.iterations) if model else self.iterations)
        if iterations > known:
            raise WrongModelError(
                f"the stream has {header.iterations} iterations, but the model only {known}"
            )
        return model
