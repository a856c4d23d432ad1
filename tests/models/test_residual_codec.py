import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers.models import TINY_LAYOUTS, tiny_config
from tfrnnc import metrics
from tfrnnc.data import PatchBatches
from tfrnnc.errors import ConfigError
from tfrnnc.model_folder.keras_model import model_from_config
from tfrnnc.models import ARCHITECTURES, FC, FCLSTM, Conv, ConvLSTM, Layout

ALL = sorted(ARCHITECTURES)
WITHOUT_MEMORY = ["conv", "fc"]
# Each way to reconstruct and to share weights.
VARIANTS = [("conv", "distinct"), ("conv", "shared"), ("conv_lstm", "shared")] + [
    ("fc", "distinct"),
    ("fc", "shared"),
    ("fc_lstm", "shared"),
]

# Parameters by hand, one line for each layer: inputs x outputs + bias; four gates in an LSTM.
FC_STAGE = sum(
    [
        192 * 512 + 512,
        512 * 512 + 512,
        512 * 512 + 512,
        512 * 8 + 8,
        8 * 512 + 512,
        512 * 512 + 512,
        512 * 512 + 512,
        512 * 192 + 192,
    ]
)
FC_LSTM = sum(
    [
        192 * 512 + 512,
        4 * (512 * 512 + 512 * 512 + 512),
        4 * (512 * 512 + 512 * 512 + 512),
        512 * 8 + 8,
        4 * (8 * 512 + 512 * 512 + 512),
        4 * (512 * 512 + 512 * 512 + 512),
        512 * 512 + 512,
        512 * 192 + 192,
    ]
)
CONV_STAGE = sum(
    [
        9 * 3 * 64 + 64,
        9 * 64 * 256 + 256,
        9 * 256 * 512 + 512,
        512 * 2 + 2,
        9 * 2 * 128 + 128,
        4 * 128 * 512 + 512,
        4 * 512 * 512 + 512,
        512 * 3 + 3,
    ]
)
CONV_LSTM = sum(
    [
        9 * 3 * 64 + 64,
        4 * (9 * 64 * 256 + 256 * 256 + 256),
        4 * (9 * 256 * 512 + 512 * 512 + 512),
        512 * 2 + 2,
        9 * 2 * 128 + 128,
        4 * (4 * 128 * 512 + 512 * 512 + 512),
        4 * (4 * 512 * 512 + 512 * 512 + 512),
        512 * 3 + 3,
    ]
)
SMALL_CONV_LSTM = sum(
    [
        9 * 3 * 32 + 32,
        4 * (9 * 32 * 64 + 64 * 64 + 64),
        4 * (9 * 64 * 128 + 128 * 128 + 128),
        128 * 8 + 8,
        8 * 128 + 128,
        4 * (9 * 128 * 128 + 128 * 128 + 128),
        4 * (9 * 32 * 96 + 96 * 96 + 96),
        9 * 96 * 48 + 48,
    ]
)


def tiny_model(arch, seed=None, **settings):
    return model_from_config(tiny_config(arch, **settings), seed)


def random_images(*shape):
    return np.random.default_rng(0).uniform(-0.9, 0.9, (*shape, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(1)


@pytest.mark.parametrize(
    ("arch", "layout", "iterations", "stage_weights", "parameters"),
    [
        ("fc", "paper", 16, "shared", FC_STAGE),
        ("fc", "paper", 2, "distinct", 2 * FC_STAGE),
        ("fc", "paper", 16, "distinct", 16 * FC_STAGE),
        ("fc_lstm", "paper", 16, "shared", FC_LSTM),
        ("conv", "paper", 16, "shared", CONV_STAGE),
        ("conv", "paper", 2, "distinct", 2 * CONV_STAGE),
        ("conv", "paper", 16, "distinct", 16 * CONV_STAGE),
        ("conv_lstm", "paper", 16, "shared", CONV_LSTM),
        ("conv_lstm", "small", 8, "shared", SMALL_CONV_LSTM),
    ],
)
def test_parameter_count(arch, layout, iterations, stage_weights, parameters):
    codec = ARCHITECTURES[arch]
    model = codec(*codec.layouts[layout], iterations=iterations, stage_weights=stage_weights)
    assert sum(math.prod(each.shape) for each in model.trainable_variables) == parameters
    assert model.count_params() == parameters


def test_the_small_conv_lstm_has_1_3_million_parameters():
    assert SMALL_CONV_LSTM == 1_299_640


@pytest.mark.parametrize(
    ("arch", "layout", "grid"),
    [
        ("fc", "paper", (4, 4, 8)),
        ("fc_lstm", "paper", (4, 4, 8)),
        ("conv", "paper", (8, 8, 2)),
        ("conv_lstm", "paper", (8, 8, 2)),
        ("conv_lstm", "small", (4, 4, 8)),
    ],
)
def test_a_iteration_takes_128_bits_for_32x32(arch, layout, grid):
    codec = ARCHITECTURES[arch]
    model = codec(*codec.layouts[layout], iterations=1)
    logits, _ = model.encode_iteration(
        random_images(1, 32, 32), model.initial_encoder_states(1, 32, 32), 0
    )
    assert tuple(logits.shape) == (1, *grid)
    assert math.prod(grid) == 128
    assert model.stride == 32 // grid[0]


@pytest.mark.parametrize("codec", [FC, FCLSTM, Conv, ConvLSTM])
def test_the_default_is_the_papers_layout_with_the_better_weights(codec):
    model = codec(iterations=1)
    layout = Layout(tuple(model.encoder_layout), model.bits, tuple(model.decoder_layout))
    assert layout == codec.layouts["paper"]
    assert model.stage_weights == ("distinct" if codec.arch in WITHOUT_MEMORY else "shared")


def loop(model, images, additive):
    """The residual loop of section 3.1, written out."""
    batch, height, width, _ = images.shape
    encoder_states = model.initial_encoder_states(batch, height, width)
    decoder_states = model.initial_decoder_states(batch, height, width)
    residual = images
    predictions, reconstructions = [], []
    for iteration in range(model.iterations):
        logits, encoder_states = model.encode_iteration(residual, encoder_states, iteration)
        bits = np.where(np.asarray(logits) < 0, -1, 1).astype(np.float32)
        prediction, decoder_states = model.decode_iteration(bits, decoder_states, iteration)
        predictions.append(np.asarray(prediction))
        reconstructions.append(sum(predictions) if additive else predictions[-1])
        residual = images - reconstructions[-1]
    return np.stack(reconstructions, axis=1)


@pytest.mark.parametrize(("arch", "stage_weights"), VARIANTS)
def test_equals_a_loop_over_the_iterations(arch, stage_weights):
    codec = ARCHITECTURES[arch]
    model = codec(*codec.layouts["small"], iterations=3, stage_weights=stage_weights)
    # Fresh weights predict next to nothing, so that no bit would depend on the iterations before.
    model.set_weights([3 * weight for weight in model.get_weights()])
    images = random_images(2, 16, 24)
    outputs = model(images)
    assert tuple(outputs.shape) == (2, 3, 16, 24, 3)
    np.testing.assert_allclose(outputs, loop(model, images, arch in WITHOUT_MEMORY), atol=1e-6)


@pytest.mark.parametrize(("arch", "stage_weights"), VARIANTS)
def test_which_iterations_share_a_stage(arch, stage_weights):
    model = tiny_model(arch, stage_weights=stage_weights)
    stages = 1 if stage_weights == "shared" else 3
    assert (len(model.encoders), len(model.decoders)) == (stages, stages)
    images = random_images(1, 16, 16)
    before = np.asarray(model(images))
    last = model.decoders[-1].trainable_variables[-1]
    last.assign(last + 0.1)
    changed = [not np.array_equal(*pair) for pair in zip(before[0], model(images)[0], strict=True)]
    assert changed == ([True] * 3 if stages == 1 else [False, False, True])


@pytest.mark.parametrize("arch", ALL)
@pytest.mark.parametrize("size", [(8, 8), (8, 40), (24, 16)])
def test_takes_any_multiple_of_the_stride(arch, size):
    model = tiny_model(arch)
    assert tuple(model(random_images(1, *size)).shape) == (1, 3, *size, 3)
    assert model.compute_output_shape((1, *size, 3)) == (1, 3, *size, 3)


@pytest.mark.parametrize("arch", ALL)
def test_takes_batches_of_any_size_in_a_graph(arch):
    model = tiny_model(arch)
    function = tf.function(model, input_signature=[tf.TensorSpec((None, 16, 24, 3))])
    for batch in (1, 3):
        images = random_images(batch, 16, 24)
        np.testing.assert_allclose(function(images), model(images), atol=1e-5)


@pytest.mark.parametrize("arch", ALL)
def test_images_of_a_batch_are_independent(arch):
    model = tiny_model(arch)
    images = random_images(3, 16, 24)
    together = model(images)
    for index in range(3):
        np.testing.assert_allclose(together[index], model(images[index : index + 1])[0], atol=1e-5)


@pytest.mark.parametrize("arch", ["fc", "fc_lstm"])
def test_patches_of_an_image_are_independent(arch):
    model = tiny_model(arch)
    images = random_images(1, 24, 32)
    before = np.asarray(model(images))
    images[:, 8:16, 16:24] *= -1
    difference = np.abs(before - np.asarray(model(images))).max(axis=(0, 1, 4))
    patches = difference.reshape(3, 8, 4, 8).max(axis=(1, 3))
    assert np.argwhere(patches > 1e-6).tolist() == [[1, 2]]


@pytest.mark.parametrize("arch", ALL)
def test_bits_are_random_in_training_only(arch):
    model = tiny_model(arch, seed=3)
    images = random_images(2, 16, 16)
    np.testing.assert_array_equal(model(images), model(images))
    assert not np.array_equal(model(images, training=True), model(images, training=True))


@pytest.mark.parametrize("arch", ALL)
def test_loss_is_the_mean_square_of_the_residuals_of_all_iterations(arch):
    model = tiny_model(arch)
    images = random_images(4, 16, 24)
    residuals = images[:, None].astype(np.float64) - np.asarray(model(images))
    expected = np.mean(residuals**2)
    loss = model.compute_loss(x=images, y_pred=model(images))
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    model.compile(optimizer="adam", jit_compile=False)
    assert model.evaluate(images, batch_size=2, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_ssim_joins_the_loss():
    model = tiny_model("conv_lstm")
    images = random_images(2, 16, 24)
    pictures = np.asarray(model(images))
    squares = float(model.compute_loss(x=images, y_pred=pictures))
    ssim = np.mean(
        [
            metrics.block_ssim(to_pixels(image), to_pixels(picture))
            for image, shown in zip(images, pictures, strict=True)
            for picture in shown
        ]
    )
    model.ssim_weight = 0.5
    loss = float(model.compute_loss(x=images, y_pred=pictures))
    assert loss == pytest.approx(squares + 0.5 * (1 - ssim), rel=1e-5)
    # A picture without any structure has a gradient too.
    flat = tf.Variable(np.zeros_like(pictures))
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x=images, y_pred=flat)
    assert np.all(np.isfinite(tape.gradient(loss, flat)))


def to_pixels(floats):
    return (floats.astype(np.float64) + 0.9) / 1.8 * 255


@pytest.mark.parametrize(("arch", "stage_weights"), VARIANTS)
def test_gradients_reach_every_weight_in_training(arch, stage_weights):
    model = tiny_model(arch, stage_weights=stage_weights, seed=1)
    images = tf.constant(random_images(4, 16, 16))
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x=images, y_pred=model(images, training=True))
    gradients = tape.gradient(loss, [each.value for each in model.trainable_variables])
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.all(np.isfinite(gradient)), variable.path
        assert np.any(gradient), variable.path


def test_a_few_batches_of_fit_lower_the_loss():
    model = tiny_model("fc_lstm", iterations=2, seed=1)
    images = random_images(1, 1, 1) * np.ones((8, 16, 16, 1), np.float32)
    model.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
    losses = model.fit(images, epochs=8, batch_size=4, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 30, 32, 3), np.float32), "images of 30x32 do not fit a model of stride 16"),
        (np.zeros((2, 32, 40, 3), np.float32), "pad or crop them, or train on patches"),
        (np.zeros((2, 32, 32, 1), np.float32), r"shape \(batch, height, width, 3\), not"),
        (np.zeros((32, 32, 3), np.float32), r"shape \(batch, height, width, 3\), not"),
        (np.zeros((2, 32, 32, 3), np.uint8), "not uint8; tfrnnc.images.to_float makes them"),
    ],
)
def test_fit_says_which_images_it_takes(images, message):
    model = ConvLSTM(
        ["conv 3x3/8 s16"], 4, ["conv 3x3/768 linear", "depth_to_space 16"], iterations=1
    )
    model.compile(optimizer="adam", jit_compile=False)
    with pytest.raises(ConfigError, match=message):
        model.fit(images, verbose=0)


def test_fit_says_it_of_sizes_that_a_data_set_does_not_tell():
    model = tiny_model("conv_lstm", iterations=1)
    model.compile(optimizer="adam", jit_compile=False)
    shape = tf.TensorSpec((None, None, None, 3))
    images = np.zeros((2, model.stride - 1, model.stride, 3), np.float32)
    data = tf.data.Dataset.from_generator(lambda: iter([images]), output_signature=shape)
    with pytest.raises(tf.errors.InvalidArgumentError, match="images do not fit a model of stride"):
        model.fit(data.map(lambda batch: (batch,)), verbose=0)


def test_the_training_step_is_traced_once():
    calls = []

    class Counted(ConvLSTM):
        def call(self, images, training=False):
            calls.append(tuple(images.shape))
            return super().call(images, training)

    model = Counted(**TINY_LAYOUTS["conv_lstm"], iterations=2)
    optimizer = keras.optimizers.Adam()
    model.compile(optimizer=optimizer, jit_compile=False)
    # With the optimiser's variables made beforehand, as the trainer does, the first trace makes
    # none and serves; else TensorFlow traces a second time. Keras needs no trace to infer
    # shapes, as the model is built when it is made.
    optimizer.build(model.trainable_variables)
    batches = PatchBatches([np.zeros((20, 24, 3), np.uint8)], batch_size=2, patch_size=16)
    model.fit(batches, epochs=3, steps_per_epoch=4, verbose=0, shuffle=False)
    assert calls == [(None, 16, 16, 3)]
    model.fit(batches, epochs=1, steps_per_epoch=4, verbose=0, shuffle=False)
    assert len(calls) == 1
    assert int(optimizer.iterations) == 16


@pytest.mark.parametrize(("arch", "stage_weights"), VARIANTS)
def test_survives_a_keras_file(arch, stage_weights, tmp_path):
    model = tiny_model(arch, stage_weights=stage_weights, seed=4)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    assert loaded.get_config() == model.get_config()
    images = random_images(2, 16, 24)
    np.testing.assert_array_equal(loaded(images), model(images))


@pytest.mark.parametrize("arch", ALL)
@pytest.mark.parametrize(
    "arguments",
    [
        {"iterations": 0},
        {"iterations": -1},
        {"iterations": 256},
        {"iterations": 2.0},
        {"iterations": "2"},
        {"iterations": None},
        {"bits": 0},
        {"bits": -2},
        {"bits": 1.5},
        {"bits": "2"},
        {"stage_weights": "both"},
        {"stage_weights": 1},
        {"encoder": ["conv 3x3/4 s2", "pool 2"]},
        {"encoder": [None]},
    ],
    ids=repr,
)
def test_refuses_arguments_that_are_not_usable(arch, arguments):
    with pytest.raises(ConfigError):
        tiny_model(arch, **arguments)


@pytest.mark.parametrize("arch", ["fc_lstm", "conv_lstm"])
def test_refuses_distinct_weights_with_memory(arch):
    with pytest.raises(ConfigError, match=f"{arch} shares its weights"):
        tiny_model(arch, stage_weights="distinct")


@pytest.mark.parametrize(
    "decoder",
    [
        ["deconv 2x2/4 s2", "conv 1x1/3"],
        ["deconv 2x2/4 s2", "deconv 2x2/4 s2", "deconv 2x2/3 s2"],
        ["deconv 2x2/4 s2", "deconv 2x2/4 s2"],
        ["dense 47", "depth_to_space 4"],
        ["dense 49", "depth_to_space 4"],
        [],
    ],
    ids=["too small", "too large", "4 channels", "channels missing", "channels left", "empty"],
)
def test_refuses_a_decoder_that_does_not_restore_the_image(decoder):
    with pytest.raises(ConfigError, match="the decoder .*(channels|enlarges more than)"):
        tiny_model("conv", decoder=decoder)


def test_refuses_strides_that_images_are_not_padded_for():
    with pytest.raises(ConfigError, match="leaves 1/2 of a pixel"):
        tiny_model("conv", encoder=["deconv 2x2/4 s2", "conv 3x3/4 s8"])
    with pytest.raises(ConfigError, match=r"the stride 6.*not only some of \[1, 3, 4, 6, 12\]"):
        tiny_model(
            "conv",
            encoder=["conv 3x3/4 s12", "deconv 2x2/4 s2"],
            decoder=["deconv 2x2/4 s2", "conv 3x3/4 s4", "deconv 2x2/4 s3", "deconv 2x2/3 s4"],
        )


@pytest.mark.parametrize("layer", ["dense 1000000000000", "conv 3x3/65537", "conv 99x99/4 s2"])
def test_refuses_sizes_beyond_reason(layer):
    with pytest.raises(ConfigError, match="filters at most 65536"):
        tiny_model("conv", encoder=[layer, "conv 3x3/8 s2"])


@pytest.mark.parametrize(
    ("encoder", "decoder", "stride"),
    [
        (["conv 3x3/4 s3"], ["deconv 3x3/4 s3", "conv 1x1/3"], 3),
        (["space_to_depth 5", "dense 4"], ["dense 75", "depth_to_space 5"], 5),
        (["conv 3x3/4 s2"], ["deconv 3x3/3 s2"], 2),
        (["conv 3x3/4"], ["conv 3x3/3"], 1),
    ],
)
def test_takes_other_layouts_that_restore_the_image(encoder, decoder, stride):
    model = tiny_model("conv", encoder=encoder, decoder=decoder)
    assert model.stride == stride
    size = (2 * stride, 3 * stride)
    assert tuple(model(random_images(1, *size)).shape) == (1, 3, *size, 3)
