"""A contender of `benchmarks/training.py` that trains a model as `tfrnnc-train` does.

Or one that multiplies two matrices, as the peak to compare with.
"""

from __future__ import annotations

import itertools
import json
import sys
import time

started = time.perf_counter()

import numpy as np  # noqa: E402

from training_protocol import MATRIX_SIDE, answer_questions, peak_memory, time_batches  # noqa: E402

# TensorFlow and Keras import these where they find them, which takes 150 MB; the package's "train"
# extra does not install them.
for package in ("jax", "matplotlib", "scipy"):
    sys.modules[package] = None  # type: ignore[assignment]


class KerasContender:
    """Trains a model on one batch, again and again, by Keras's own training step."""

    def __init__(self, settings):
        from tfrnnc.backend import prepare_environment

        prepare_environment()
        import keras
        import tensorflow as tf

        from tfrnnc.images import SCALE
        from tfrnnc.models import ConvLSTM
        from tfrnnc.training.recipe import Recipe
        from tfrnnc.training.trainer import compile_model

        imported, import_memory = time.perf_counter(), peak_memory()
        tf.config.threading.set_intra_op_parallelism_threads(settings["threads"])
        if settings["dtype"] != "float32":
            keras.config.set_dtype_policy(f"mixed_{settings['dtype']}")
        keras.utils.set_random_seed(0)
        batch_size = settings["batch_size"]
        self._model = ConvLSTM(
            settings["encoder"],
            settings["bits"],
            settings["decoder"],
            settings["iterations"],
            seed=0,
        )
        recipe = Recipe(batch_size=batch_size, optimizer="adam", learning_rate=1e-4)
        compile_model(self._model, recipe)
        self._images = np.random.default_rng(0).uniform(-SCALE, SCALE, (batch_size, 32, 32, 3))
        self._images = self._images.astype(np.float32)
        self._model.make_train_function()
        batches = itertools.repeat((tf.constant(self._images),))
        self._train_batch = lambda: float(self._model.train_function(batches)["loss"])
        built = time.perf_counter()
        self._train_batch()
        self.facts = {
            "import_s": imported - started,
            "import_mb": import_memory,
            "build_s": built - imported,
            "first_batch_s": time.perf_counter() - built,
            "parameters": self._model.count_params(),
            "version": tf.__version__,
            "multiplications": self._multiplications(),
        }

    def round(self, _):
        return time_batches(self._train_batch)

    def save(self, file):
        """Writes weights, a few images, and the outputs and gradients for them.

        Bits are not random, and the layers compute as they do when a picture is compressed.
        """
        import tensorflow as tf

        model, images = self._model, self._images[:4]
        with tf.GradientTape() as tape:
            outputs = model(images, training=False)
            loss = model.compute_loss(x=images, y_pred=outputs)
        gradients = tape.gradient(loss, [weight.value for weight in model.trainable_variables])
        arrays = {"images": images, "outputs": outputs}
        for i, (weight, gradient) in enumerate(
            zip(model.trainable_variables, gradients, strict=True)
        ):
            arrays[f"weight_{i}"], arrays[f"gradient_{i}"] = weight.numpy(), gradient
        np.savez(file, **arrays)
        return {}

    def _multiplications(self) -> int:
        """Of one patch forward, all iterations."""
        from multiplications import stage_multiplications

        model, side = self._model, self._images.shape[1]
        code = side // model.stride
        return model.iterations * (
            stage_multiplications(model.encoders[0], side, side)
            + stage_multiplications(model.decoders[0], code, code)
        )


class GemmContender:
    """The product of two square float32 matrices by TensorFlow."""

    facts: dict = {}

    def __init__(self, settings):
        from tfrnnc.backend import prepare_environment

        prepare_environment()
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(settings["threads"])
        matrix = tf.random.stateless_uniform((MATRIX_SIDE, MATRIX_SIDE), (0, 0))
        self._multiply = lambda: tf.matmul(matrix, matrix).numpy()
        self._multiply()

    def round(self, _):
        return time_batches(self._multiply)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    answer_questions(
        lambda: GemmContender(given) if given["framework"] == "gemm" else KerasContender(given)
    )
