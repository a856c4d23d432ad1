import numpy as np
import pytest

from tfrnnc.layers import DepthToSpace, SpaceToDepth

SHAPES = [(1, 1, 1, 1), (2, 3, 2, 3), (1, 2, 5, 4)]


@pytest.mark.parametrize("block_size", [1, 2, 3, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_depth_to_space_equals_a_loop_over_pixels(shape, block_size):
    batch, height, width, channels = shape
    inputs = (
        np.random.default_rng(0)
        .normal(size=(batch, height, width, block_size**2 * channels))
        .astype(np.float32)
    )
    expected = np.empty((batch, height * block_size, width * block_size, channels), np.float32)
    for y in range(height * block_size):
        for x in range(width * block_size):
            row, column = y % block_size, x % block_size
            for channel in range(channels):
                depth = (row * block_size + column) * channels + channel
                expected[:, y, x, channel] = inputs[:, y // block_size, x // block_size, depth]
    layer = DepthToSpace(block_size)
    np.testing.assert_array_equal(layer(inputs), expected)
    assert layer.compute_output_shape(inputs.shape) == expected.shape


@pytest.mark.parametrize("block_size", [1, 2, 3, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_each_is_the_inverse_of_the_other(shape, block_size):
    batch, height, width, channels = shape
    rng = np.random.default_rng(0)
    image = rng.normal(size=(batch, height * block_size, width * block_size, channels))
    image = image.astype(np.float32)
    depth = rng.normal(size=(batch, height, width, block_size**2 * channels)).astype(np.float32)
    to_depth, to_space = SpaceToDepth(block_size), DepthToSpace(block_size)
    assert tuple(to_depth(image).shape) == to_depth.compute_output_shape(image.shape) == depth.shape
    np.testing.assert_array_equal(to_space(to_depth(image)), image)
    np.testing.assert_array_equal(to_depth(to_space(depth)), depth)


def test_unknown_sizes_stay_unknown():
    unknown = (None, None, None, 12)
    assert DepthToSpace(2).compute_output_shape(unknown) == (None, None, None, 3)
    assert SpaceToDepth(2).compute_output_shape(unknown) == (None, None, None, 48)
