"""The entropy network that a training starts with: a fresh one, or one that was trained before."""

from __future__ import annotations

from pathlib import Path

import h5py

from tfrnnc.errors import ConfigError
from tfrnnc.model_folder.keras_model import load_weights
from tfrnnc.models import ResidualCodec
from tfrnnc.models.entropy_network import EntropyNetwork
from tfrnnc.training.recipe import Recipe

_AN_ODD_BIAS = "vars/0"  # of the first iteration: its size is that of all groups together


def fresh_network(model: ResidualCodec, recipe: Recipe) -> EntropyNetwork:
    """A network for the bits of a codec, in the recipe's number of groups."""
    groups = min(recipe.entropy_groups, model.bits)
    return EntropyNetwork(model.iterations, model.bits, groups)


def load_network(network: EntropyNetwork, path: Path) -> None:
    """Loads the weights of a network into one of as many groups, or of a multiple of them.

    Args:
        network: to load into.
        path: the file of the weights.

    Raises:
        ConfigError: if the groups of the file cannot be divided into those of the network.
        ModelError: if the file is missing, broken, or not of such a network.
    """
    groups = _groups_in(path, network.width)
    if groups in (None, network.groups):
        load_weights(network, path)
        return
    earlier = EntropyNetwork(network.iterations, network.bits, groups)
    load_weights(earlier, path)
    try:
        network.set_weights(earlier.split(network.groups).get_weights())
    except ConfigError as error:
        raise ConfigError(
            f"entropy_groups must be a multiple of the {groups} of {path}, not {network.groups}"
        ) from error


def _groups_in(path: Path, width: int) -> int | None:
    """How many groups a file's weights are of; None for a file that is not of such weights."""
    try:
        with h5py.File(path) as file:
            groups, rest = divmod(file[_AN_ODD_BIAS].size, width)
    except (OSError, KeyError, AttributeError):
        return None  # Loading it says what is wrong.
    return None if rest else groups
