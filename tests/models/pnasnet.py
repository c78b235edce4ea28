"""PNASNet-5 with random weights, in the form in which TensorFlow Hub publishes it.

The network is that of "Progressive Neural Architecture Search" (arXiv 1712.00559), with the topology of TF-Slim's
`nets/nasnet/pnasnet.py`, less what exists for training only (auxiliary head, dropout, path dropout).
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

_EPSILON = 1e-3
_WEIGHT_DECAY = 4e-5
_CALIBRATION_IMAGES = 4
_LOGIT_SPREAD = 3.0


@dataclasses.dataclass(frozen=True)
class PnasnetConfig:
    """The sizes of one network: `PnasnetConfig(image_size=331, cells_per_group=4, filters=216, stem_filters=96)`.

    Attributes:
        image_size: Height and width of the input, in pixels.
        cells_per_group: Cells in each of the three groups.
        filters: Filters of the first group, a multiple of 4. The two stem cells before it have a quarter and a half of
            it, the groups after it twice and four times.
        stem_filters: Filters of the first convolution.
        classes: Width of the logits, or None for a network that gives feature vectors.
        seed: Seed of all weights.
    """

    image_size: int
    cells_per_group: int
    filters: int
    stem_filters: int
    classes: int | None = 1001
    seed: int = 0

    @property
    def features(self) -> int:
        """Width of the feature vector: the last group's five blocks."""
        return 5 * 4 * self.filters


LARGE = PnasnetConfig(image_size=331, cells_per_group=4, filters=216, stem_filters=96)
MINIATURE = PnasnetConfig(image_size=64, cells_per_group=1, filters=8, stem_filters=8)


@dataclasses.dataclass(frozen=True)
class _BatchNormMode:
    """The mode of the batch norms in one call: `_BatchNormMode(training=True, update=0.01)`, None for no update."""

    training: bool
    update: tf.Tensor | float | None


class _BatchNorm(tf.Module):
    def __init__(self, rng: np.random.Generator, channels: int) -> None:
        super().__init__()
        self.gamma = tf.Variable(rng.uniform(0.5, 1.5, channels), dtype=tf.float32, name="gamma")
        self.beta = tf.Variable(rng.normal(0.0, 0.2, channels), dtype=tf.float32, name="beta")
        self.moving_mean = tf.Variable(tf.zeros(channels), trainable=False, name="moving_mean")
        self.moving_variance = tf.Variable(tf.ones(channels), trainable=False, name="moving_variance")

    def __call__(self, x: tf.Tensor, mode: _BatchNormMode) -> tf.Tensor:
        affine = {"scale": self.gamma, "offset": self.beta, "epsilon": _EPSILON}
        if not mode.training:
            return tf.raw_ops.FusedBatchNormV3(
                x=x, mean=self.moving_mean, variance=self.moving_variance, is_training=False, **affine
            ).y
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(x=x, mean=[], variance=[], is_training=True, **affine)
        if mode.update is not None:
            self.moving_mean.assign_sub(mode.update * (self.moving_mean - mean))
            self.moving_variance.assign_sub(mode.update * (self.moving_variance - variance))
        return y


def _kernel(rng: np.random.Generator, *shape: int, fan_in: int) -> tf.Variable:
    # He's scale: a relu halves the second moment, and the sum over fan_in inputs restores it.
    return tf.Variable(rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2.0 / fan_in)), name="kernel")


class _Pointwise(tf.Module):
    """Relu (or none), 1 x 1 convolution, batch norm."""

    def __init__(self, rng: np.random.Generator, channels: int, filters: int, stride: int = 1, *, relu: bool = True):
        super().__init__()
        self.kernel = _kernel(rng, 1, 1, channels, filters, fan_in=channels)
        self.norm = _BatchNorm(rng, filters)
        self.stride, self.relu = stride, relu

    def __call__(self, x: tf.Tensor, mode: _BatchNormMode) -> tf.Tensor:
        x = tf.nn.relu(x) if self.relu else x
        return self.norm(tf.nn.conv2d(x, self.kernel, self.stride, "SAME"), mode)


class _Separable(tf.Module):
    """Two rounds of relu, depthwise k x k, pointwise, batch norm, with the stride in the first."""

    def __init__(self, rng: np.random.Generator, size: int, channels: int, filters: int, stride: int = 1) -> None:
        super().__init__()
        self.strides = (stride, 1)
        self.depthwise = [_kernel(rng, size, size, c, 1, fan_in=size * size) for c in (channels, filters)]
        self.pointwise = [_Pointwise(rng, c, filters, relu=False) for c in (channels, filters)]

    def __call__(self, x: tf.Tensor, mode: _BatchNormMode) -> tf.Tensor:
        for stride, depthwise, pointwise in zip(self.strides, self.depthwise, self.pointwise, strict=True):
            x = tf.nn.depthwise_conv2d(tf.nn.relu(x), depthwise, [1, stride, stride, 1], "SAME")
            x = pointwise(x, mode)
        return x


class _FactorizedReduction(tf.Module):
    """Relu, two 1 x 1 convolutions of stride 2 and half the filters, one of them a pixel on, joined, batch norm."""

    def __init__(self, rng: np.random.Generator, channels: int, filters: int) -> None:
        super().__init__()
        self.kernels = [_kernel(rng, 1, 1, channels, filters // 2, fan_in=channels) for _ in range(2)]
        self.norm = _BatchNorm(rng, filters)

    def __call__(self, x: tf.Tensor, mode: _BatchNormMode) -> tf.Tensor:
        x = tf.nn.relu(x)
        shifted = tf.pad(x, [[0, 0], [0, 1], [0, 1], [0, 0]])[:, 1:, 1:, :]
        paths = zip((x, shifted), self.kernels, strict=True)
        return self.norm(tf.concat([tf.nn.conv2d(path, kernel, 2, "VALID") for path, kernel in paths], -1), mode)


class _Cell(tf.Module):
    """Five blocks over the outputs of the two cells before: `left`, the older, and `right`.

    The network's first cell has no older output. The first convolution's is its left too, as it is: the separable
    convolutions bring it to the cell's filters, and after the pooling a 1 x 1 convolution does so.
    """

    def __init__(
        self, rng: np.random.Generator, left: int | None, right: int, filters: int, stride: int, left_is_larger: bool
    ) -> None:
        super().__init__()
        self.stride = stride
        self.fit_right = _Pointwise(rng, right, filters)
        self.fit_left = self.fit_pooled = None
        if left is None:
            self.fit_pooled = _Pointwise(rng, right, filters, relu=False)
        else:
            self.fit_left = (_FactorizedReduction if left_is_larger else _Pointwise)(rng, left, filters)
        fitted_left = right if left is None else filters
        self.left_5x5 = _Separable(rng, 5, fitted_left, filters, stride)
        self.right_7x7 = _Separable(rng, 7, filters, filters, stride)
        self.right_5x5 = _Separable(rng, 5, filters, filters, stride)
        self.right_3x3 = _Separable(rng, 3, filters, filters, stride)
        self.block3_3x3 = _Separable(rng, 3, filters, filters)
        self.left_3x3 = _Separable(rng, 3, fitted_left, filters, stride)
        self.reduce_right = _Pointwise(rng, filters, filters, stride) if stride > 1 else None

    def __call__(self, left: tf.Tensor, right: tf.Tensor, mode: _BatchNormMode) -> tf.Tensor:
        left = self.fit_left(left, mode) if self.fit_left else left
        right = self.fit_right(right, mode)
        left_pooled = tf.nn.max_pool2d(left, 3, self.stride, "SAME")
        left_pooled = self.fit_pooled(left_pooled, mode) if self.fit_pooled else left_pooled
        right_pooled = tf.nn.max_pool2d(right, 3, self.stride, "SAME")

        block1 = self.left_5x5(left, mode) + left_pooled
        block2 = self.right_7x7(right, mode) + right_pooled
        block3 = self.right_5x5(right, mode) + self.right_3x3(right, mode)
        block4 = self.block3_3x3(block3, mode) + right_pooled
        block5 = self.left_3x3(left, mode) + (self.reduce_right(right, mode) if self.reduce_right else right)
        return tf.concat([block1, block2, block3, block4, block5], -1)


class Pnasnet(tf.Module):
    """PNASNet-5 with random weights: `Pnasnet(MINIATURE).save(path)`.

    Called on float32 [N, size, size, 3] in [0, 1], it gives float32 logits [N, classes], or features [N, features]
    where the config has no classes. Its moving statistics are those of a batch of random images, so that activations
    are of order one and different images get different answers.
    """

    def __init__(self, config: PnasnetConfig) -> None:
        super().__init__()
        self.config = config
        rng = np.random.default_rng(config.seed)
        self.conv0 = _kernel(rng, 3, 3, 3, config.stem_filters, fan_in=27)
        self.conv0_norm = _BatchNorm(rng, config.stem_filters)
        self.cells = self._make_cells(rng)
        self.dense = self.bias = None
        if config.classes is not None:
            self.dense = _kernel(rng, config.features, config.classes, fan_in=config.features)
            self.bias = tf.Variable(tf.zeros(config.classes), name="bias")
        self.regularization_losses = [tf.function(self._weight_decay, autograph=False)]
        self._calibrate()

    def _make_cells(self, rng: np.random.Generator) -> list[_Cell]:
        base, others = self.config.filters, self.config.cells_per_group - 1
        filters_and_strides = [(base // 4, 2), (base // 2, 2), (base, 1)] + [(base, 1)] * others
        for filters in (2 * base, 4 * base):
            filters_and_strides += [(filters, 2)] + [(filters, 1)] * others
        cells: list[_Cell] = []
        left, right, left_is_larger = None, self.config.stem_filters, False
        for index, (filters, stride) in enumerate(filters_and_strides):
            with tf.name_scope(f"cell_{index}"):
                cells.append(_Cell(rng, left, right, filters, stride, left_is_larger))
            left, right, left_is_larger = right, 5 * filters, stride > 1
        return cells

    # The hub's module takes a second boolean too. Its name is in no public text: callers must not depend on this one.
    def __call__(
        self,
        inputs: tf.Tensor,
        training: bool = False,
        freeze_statistics: bool = False,
        batch_norm_momentum: tf.Tensor | float = 0.99,
    ) -> tf.Tensor:
        mode = _BatchNormMode(training, None if freeze_statistics else 1.0 - batch_norm_momentum)
        left = right = self.conv0_norm(tf.nn.conv2d(2.0 * inputs - 1.0, self.conv0, 2, "VALID"), mode)
        for cell in self.cells:
            left, right = right, cell(left, right, mode)
        features = tf.reduce_mean(tf.nn.relu(right), [1, 2])
        return features if self.dense is None else features @ self.dense + self.bias

    def _weight_decay(self) -> tf.Tensor:
        kernels = [variable for variable in self.trainable_variables if variable.shape.rank > 1]
        return _WEIGHT_DECAY * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])

    def _calibrate(self) -> None:
        images = random_images(_CALIBRATION_IMAGES, self.config.image_size, self.config.seed)
        answers = self(images, training=True, batch_norm_momentum=0.0)
        if self.config.classes is not None:
            # Pooled features are alike for all images; without what they share, the logits show what differs.
            shared = tf.reduce_mean(answers, 0)
            scale = _LOGIT_SPREAD / tf.math.reduce_std(answers - shared)
            self.dense.assign(self.dense * scale)
            self.bias.assign(-shared * scale)

    def save(self, path: str | Path) -> None:
        """Writes the hub's reusable SavedModel: a callable, its variables and losses, and no signatures."""
        size = self.config.image_size
        inputs = tf.TensorSpec([None, size, size, 3], tf.float32, "inputs")
        momentum = tf.TensorSpec([], tf.float32, "batch_norm_momentum")
        network = tf.function(self.__call__, autograph=False)

        # Saving traces every function a second time. Around graphs made beforehand, that is one op each.
        flags = list(itertools.product((False, True), repeat=2))
        graphs = {pair: network.get_concrete_function(inputs, *pair, momentum) for pair in flags}

        @tf.function(autograph=False)
        def call(inputs, training=False, freeze_statistics=False, batch_norm_momentum=0.99):
            return graphs[training, freeze_statistics](inputs, batch_norm_momentum)

        for pair in flags:
            call.get_concrete_function(inputs, *pair, momentum)
        # tf.Module computes `variables` and is not saved with it; the hub's form has the lists themselves.
        hub_form = tf.train.Checkpoint(
            variables=list(self.variables),
            trainable_variables=list(self.trainable_variables),
            regularization_losses=list(self.regularization_losses),
        )
        hub_form.__call__ = call
        tf.saved_model.save(hub_form, str(path))


def random_images(count: int, size: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Images with structure at every scale, as photographs have: float32 [count, size, size, 3] in [0, 1]."""
    rng = np.random.default_rng(seed)
    images = np.full([count, size, size, 3], 0.5, np.float32)
    for octave in range(size.bit_length()):
        grid = min(2**octave, size)
        noise = rng.normal(0.0, 0.12, [count, grid, grid, 3])
        images += tf.image.resize(noise, [size, size], "bicubic").numpy()
    return np.clip(images, 0.0, 1.0)
