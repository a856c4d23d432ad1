from __future__ import annotations

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from helpers.models import TINY_LAYOUTS, tiny_config
from tfrnnc.data import FolderImages, centre_patches
from tfrnnc.errors import ConfigError, DataError, InstallationError, TrainingError
from tfrnnc.model_folder.keras_model import model_from_config, model_id
from tfrnnc.training import Recipe
from tfrnnc.training.callbacks import validate
from tfrnnc.training.weight_constraints import Clustering, FineTuning, Pruning
from tfrnnc.training.weight_optimization import _Pruner, importing_tfmot, optimize_weights

SMALLEST = 200
RECIPE = Recipe(epochs=1, steps_per_epoch=5, batch_size=2, patch_size=16, warmup_steps=1)


@pytest.fixture(scope="module")
def images(image_folder):
    return FolderImages(image_folder)


def tiny_model(arch: str):
    keras.utils.set_random_seed(5)
    return model_from_config(tiny_config(arch, iterations=2))


def kernels(model) -> list[np.ndarray]:
    return [weights for weights in model.get_weights() if weights.ndim > 1]


CONSTRAINTS = {"prune": Pruning, "cluster": Clustering}


def optimize(model, method, images=(), recipe=None, **settings):
    constraint = CONSTRAINTS[method](smallest_kernel=SMALLEST, **settings)
    return optimize_weights(model, constraint, images, recipe, quiet=True)


def zeros(kernel: np.ndarray, sparsity: float) -> int:
    """How many weights are pruned: all but those that are kept, which are rounded."""
    return kernel.size - max(1, round(kernel.size * (1 - sparsity)))


@pytest.mark.parametrize("recipe", [None, RECIPE], ids=["at once", "fine-tuned"])
@pytest.mark.parametrize("arch", TINY_LAYOUTS)
def test_pruned_kernels_are_as_sparse_as_asked(arch, recipe, images):
    model = tiny_model(arch)
    before = model.get_weights()
    identity = model_id(model)
    settings = optimize(model, "prune", images, recipe, sparsity=0.7)
    assert settings == {
        "method": "prune",
        "sparsity": 0.7,
        "fine_tune_steps": 5 if recipe else 0,
    }
    assert model_id(model) != identity
    for old, new in zip(before, model.get_weights(), strict=True):
        if new.ndim > 1 and new.size >= SMALLEST:
            assert np.count_nonzero(new == 0) == zeros(new, 0.7)
        elif new.ndim > 1:
            assert np.all(new != 0)
        if recipe is None:
            np.testing.assert_array_equal(new, np.where(new == 0, 0, old))


@pytest.mark.parametrize("recipe", [None, RECIPE], ids=["at once", "fine-tuned"])
@pytest.mark.parametrize("arch", TINY_LAYOUTS)
def test_clustered_kernels_have_as_few_values_as_asked(arch, recipe, images):
    model = tiny_model(arch)
    settings = optimize(model, "cluster", images, recipe, clusters=5)
    assert settings == {
        "method": "cluster",
        "clusters": 5,
        "fine_tune_steps": 5 if recipe else 0,
    }
    for kernel in kernels(model):
        if kernel.size >= SMALLEST:
            assert 2 <= len(np.unique(kernel)) <= 5
        else:
            assert len(np.unique(kernel)) > 5


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 29, 30, 31, 59, 60, 100, 151])
def test_the_final_sparsity_is_reached_in_any_number_of_steps(steps):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    kernel = tf.Variable(rng.normal(size=(10, 10)).astype(np.float32))
    pruning = _Pruner([kernel], 0.63, steps)
    pruned = []
    for batch in range(steps):
        pruning.on_train_batch_end(batch)
        pruned.append(int(np.count_nonzero(kernel.numpy() == 0)))
    assert pruned == sorted(pruned)
    assert pruned[-1] == 63
    assert pruned.count(63) >= steps // 3
    if steps > 60:
        assert pruned[steps // 5] < 63


@pytest.fixture(scope="module")
def trained(images):
    """A model that has learnt something; it has no need to be good."""
    model = tiny_model("fc")
    # Hardly any weight is pruned at this sparsity.
    optimize(model, "prune", images, healing(100), sparsity=1e-4)
    return model


def healing(steps: int) -> Recipe:
    return Recipe(epochs=1, steps_per_epoch=steps, batch_size=8, patch_size=16, warmup_steps=2)


@pytest.mark.parametrize(
    ("method", "settings"), [("prune", {"sparsity": 0.6}), ("cluster", {"clusters": 3})]
)
def test_fine_tuning_heals(method, settings, images, trained):
    patches = centre_patches(images, 32)
    losses = []
    for recipe in (None, healing(60)):
        model = tiny_model("fc")
        model.set_weights(trained.get_weights())
        optimize(model, method, images, recipe, **settings)
        losses.append(validate(model, patches)["val_loss"])
    assert losses[1] < 0.95 * losses[0]


@pytest.mark.parametrize(
    ("method", "settings"), [("prune", {"sparsity": 0.5}), ("cluster", {"clusters": 8})]
)
def test_the_same_seed_gives_the_same_model(method, settings, images):
    identities = set()
    for _ in range(2):
        model = tiny_model("fc")
        optimize(model, method, images, RECIPE, **settings)
        identities.add(model_id(model))
    assert len(identities) == 1


@pytest.mark.parametrize("before", [None, "0"])
def test_the_environment_is_put_back(monkeypatch, before):
    monkeypatch.delenv("TF_USE_LEGACY_KERAS", raising=False)
    if before is not None:
        monkeypatch.setenv("TF_USE_LEGACY_KERAS", before)
    with importing_tfmot():
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
    assert os.environ.get("TF_USE_LEGACY_KERAS") == before


def test_importing_tfmot_leaves_keras_as_it_was():
    """In a process of its own: what a module does on import it does once."""
    code = """
import os
from tfrnnc.model_folder.keras_model import model_from_config
from tfrnnc.training.weight_constraints import Pruning
from tfrnnc.training.weight_optimization import optimize_weights
config = {"arch": "fc", "encoder": ["space_to_depth 8"], "decoder": ["dense 192"], "bits": 8}
config["decoder"].append("depth_to_space 8")
optimize_weights(model_from_config(config), Pruning())
import tensorflow as tf
assert "TF_USE_LEGACY_KERAS" not in os.environ
assert tf.keras.Model.__module__.startswith("keras."), tf.keras.Model.__module__
"""
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_tfmot_is_missing(monkeypatch):
    package = "tensorflow_model_optimization.python.core.sparsity.keras"
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InstallationError, match=r"pip install 'tfrnnc\[export\]'"):
        optimize(tiny_model("conv"), "prune")


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        ("prune", {"sparsity": 1.0}, "sparsity must be between 0 and 1, not 1.0"),
        ("prune", {"sparsity": 0.0}, "sparsity"),
        ("cluster", {"clusters": 1}, "clusters must be from 2 to 256, not 1"),
        ("cluster", {"clusters": 257}, "clusters"),
    ],
)
def test_settings_out_of_range(method, settings, message):
    model = tiny_model("conv")
    identity = model_id(model)
    with pytest.raises(ConfigError, match=message):
        optimize(model, method, **settings)
    assert model_id(model) == identity


def test_a_model_of_small_kernels_only():
    with pytest.raises(ConfigError, match="no kernel of at least 1,000 weights"):
        optimize_weights(tiny_model("conv"), Pruning())


def test_recipe_and_images_must_fit(images):
    with pytest.raises(ConfigError, match="multiple of the model's stride, 8"):
        optimize(tiny_model("fc"), "prune", images, Recipe(patch_size=12))
    with pytest.raises(DataError):
        optimize(tiny_model("fc"), "prune", images, Recipe(patch_size=512))


def test_a_loss_that_is_not_finite(images):
    model = tiny_model("conv")
    model.set_weights([np.full_like(weights, np.inf) for weights in model.get_weights()])
    with pytest.raises(TrainingError, match="not a finite number"):
        optimize(model, "prune", images, RECIPE)


def test_fine_tuning_recipe():
    assert FineTuning(0).recipe is None
    recipe = FineTuning(50, min_downscale=2, seed=3).recipe
    assert (recipe.total_steps, recipe.min_downscale, recipe.seed) == (50, 2, 3)
