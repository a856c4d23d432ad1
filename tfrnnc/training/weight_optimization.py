"""Prunes or clusters a model's kernels with tfmot, fine-tuning the model under the constraint.

tfmot is TensorFlow's Model Optimization Toolkit. Its own entry points, `prune_low_magnitude` and
`cluster_weights`, wrap layers of Keras 2. What they are made of, schedules, masks, centroids and
gradients, works on plain TensorFlow variables, and so on those inside of Keras 3.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from tfrnnc.backend import require_tensorflow
from tfrnnc.errors import ConfigError, InstallationError, TrainingError
from tfrnnc.models import ResidualCodec
from tfrnnc.training.callbacks import Progress, require_finite
from tfrnnc.training.recipe import Recipe
from tfrnnc.training.trainer import compile_model, make_batches
from tfrnnc.training.training_set import TrainingSet
from tfrnnc.training.weight_constraints import Clustering, Pruning

if TYPE_CHECKING:
    from tfrnnc.training.log import Logs

LLOYD_ROUNDS = 5


def optimize_weights(
    model: ResidualCodec,
    constraint: Pruning | Clustering,
    images: Sequence[np.ndarray] = (),
    recipe: Recipe | None = None,
    *,
    quiet: bool = False,
) -> dict[str, Any]:
    """Prunes or clusters a model's kernels in place.

    Biases and small kernels are left alone. The result is another model: its identity changes with
    its weights.

    Args:
        model: a codec model (Keras on the TensorFlow backend).
        constraint: what the kernels become.
        images: uint8 arrays (H, W, 3) to fine-tune on.
        recipe: how to fine-tune; None applies the constraint and leaves it at that.
        quiet: no progress bar.

    Returns:
        `method`, which is "prune" or "cluster", `sparsity` or `clusters`, and `fine_tune_steps`,
        the number of batches.

    Raises:
        ConfigError: if no kernel is large enough, or the patch size is no multiple of the model's
            stride.
        DataError: if no image is large enough.
        InstallationError: if TensorFlow or tensorflow-model-optimization is missing.
        TrainingError: if the loss is not finite. The model is then of no use.
    """
    require_tensorflow()
    kernels = [
        variable.value
        for variable in model.trainable_variables
        if len(variable.shape) > 1 and math.prod(variable.shape) >= constraint.smallest_kernel
    ]
    if not kernels:
        raise ConfigError(
            f"the model has no kernel of at least {constraint.smallest_kernel:,} weights"
        )
    steps = recipe.total_steps if recipe else 0
    settings: dict[str, Any]
    if isinstance(constraint, Pruning):
        keeper: keras.callbacks.Callback = _Pruner(kernels, constraint.sparsity, steps)
        settings = {"method": "prune", "sparsity": constraint.sparsity}
    else:
        keeper = _Clusterer(kernels, constraint.clusters)
        settings = {"method": "cluster", "clusters": constraint.clusters}
    if recipe:
        _fine_tune(model, images, recipe, keeper, quiet)
    return {**settings, "fine_tune_steps": steps}


@contextmanager
def importing_tfmot() -> Iterator[None]:
    """Undoes what importing tfmot does to the process, and says how to install it.

    tfmot sets an environment variable with which TensorFlow takes Keras 2 for `tf.keras`, here
    and in child processes.

    Raises:
        InstallationError: if an import in the block fails.
    """
    variable = "TF_USE_LEGACY_KERAS"
    before = os.environ.get(variable)
    # TensorFlow reads the variable when `tf.keras` is first used, and then never again.
    _ = tf.keras.layers
    try:
        yield
    except ImportError as error:
        raise InstallationError(
            f"this needs tensorflow-model-optimization ({error}); pip install 'tfrnnc[export]'"
        ) from error
    finally:
        if before is None:
            os.environ.pop(variable, None)
        else:
            os.environ[variable] = before


class _Pruner(keras.callbacks.Callback):
    """Keeps the smallest weights of kernels at zero after each batch.

    Args:
        kernels: to prune.
        sparsity: of each in the end.
        steps: batches of the whole fine-tuning; 0 prunes at once.
    """

    def __init__(self, kernels: list[tf.Variable], sparsity: float, steps: int) -> None:
        super().__init__()
        with importing_tfmot():
            from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl
            from tensorflow_model_optimization.sparsity.keras import PolynomialDecay
        # The masks change about twenty times. The schedule reaches its end only if that is a
        # multiple of the frequency.
        frequency = max(1, 2 * steps // 3 // 20)
        end = max(1, 2 * steps // 3 // frequency) * frequency
        schedule = PolynomialDecay(0.0, sparsity, 0, end, frequency=frequency)
        self._step = tf.Variable(0 if steps else end - 1)
        masked = [
            (kernel, tf.Variable(tf.ones_like(kernel)), tf.Variable(0.0)) for kernel in kernels
        ]
        self._pruning = pruning_impl.Pruning(self._step.value, masked, schedule, (1, 1), "AVG")
        self._apply = tf.function(self._prune, autograph=False)
        if not steps:
            self._apply()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._apply()

    def _prune(self) -> None:
        self._step.assign_add(1)
        self._pruning.conditional_mask_update()
        self._pruning.weight_mask_op()


class _Clusterer(keras.callbacks.Callback):
    """Keeps kernels at a few values each after each batch.

    Args:
        kernels: to cluster; they are at once.
        clusters: values of each.
    """

    def __init__(self, kernels: list[tf.Variable], clusters: int) -> None:
        super().__init__()
        self._kernels = [_ClusteredKernel(kernel, clusters) for kernel in kernels]
        self._apply = tf.function(self._follow, autograph=False)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._apply()

    def _follow(self) -> None:
        for kernel in self._kernels:
            kernel.follow()


class _ClusteredKernel:
    """A kernel whose weights are each one of a few centroids.

    A step of the optimiser goes to the centroids: each takes the mean of what its weights would
    take. That is how tfmot aggregates gradients. Which weight belongs to which centroid stays as
    it is at first: weights that change over in a short fine-tuning do more harm than good.

    Args:
        kernel: the model's.
        clusters: number of centroids.
    """

    def __init__(self, kernel: tf.Variable, clusters: int) -> None:
        with importing_tfmot():
            from tensorflow_model_optimization.clustering import keras as clustering
            from tensorflow_model_optimization.python.core.clustering.keras import (
                cluster_config,
                clustering_centroids,
            )
        # The default preset loses 0.7 dB at 16 of these; at 16 linear ones it loses 3.3.
        initializer = clustering_centroids.CentroidsInitializerFactory.get_centroid_initializer(
            clustering.CentroidInitialization.KMEANS_PLUS_PLUS
        )
        self._kernel = kernel
        self._centroids = tf.Variable(initializer(kernel, clusters).get_cluster_centroids())
        self._algorithm = clustering.ClusteringAlgorithm(
            self._centroids, cluster_config.GradientAggregation.AVG
        )
        # tfmot leaves it at the seeds. Lloyd's algorithm goes on: each centroid moves to the mean
        # of its weights, and then they choose anew.
        weights = tf.identity(kernel)
        self._indices = self._algorithm.get_pulling_indices(weights)
        for _ in range(LLOYD_ROUNDS):
            kernel.assign(weights)
            self.follow()
            self._indices = self._algorithm.get_pulling_indices(weights)
        kernel.assign(self._clustered())

    def follow(self) -> None:
        """Moves the centroids after weights that have moved, and those back to them."""
        with tf.GradientTape() as tape:
            clustered = self._clustered()
        step = tape.gradient(clustered, self._centroids, output_gradients=self._kernel - clustered)
        self._centroids.assign_add(step)
        self._kernel.assign(self._clustered())

    def _clustered(self) -> tf.Tensor:
        return self._algorithm.get_clustered_weight(self._indices, self._kernel)


def _fine_tune(
    model: ResidualCodec,
    images: Sequence[np.ndarray],
    recipe: Recipe,
    keeper: keras.callbacks.Callback,
    quiet: bool,
) -> None:
    """Trains a model with a callback that changes its weights after each batch."""
    compile_model(model, recipe)
    model.binarizer.seed_generator.state.assign([recipe.seed, 0])
    batches = make_batches(model, [TrainingSet(images)], recipe)
    progress = Progress(0, recipe.total_steps, quiet)
    try:
        history = model.fit(
            batches.for_fit(),
            epochs=recipe.epochs,
            steps_per_epoch=recipe.steps_per_epoch,
            callbacks=[keeper, progress],
            shuffle=False,
            verbose=0,
        )
        require_finite(history.history["loss"][-1])
    except TrainingError as error:
        raise TrainingError(
            "fine-tuning failed: the loss is not a finite number. Was the model trained?"
        ) from error
    finally:
        progress.close()
