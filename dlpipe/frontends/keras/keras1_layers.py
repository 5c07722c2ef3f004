"""Layers that Keras 2 no longer has, written for tf_keras from Keras 1's documentation."""

from collections.abc import Mapping
from typing import Any


def layer_classes() -> Mapping[str, Any]:
    """Name in a file -> class."""
    import tf_keras

    made = (MaxoutDense, Highway, ParametricSoftplus, SReLU, SampleNormalization)
    return {each.__name__: type(each.__name__, (each, tf_keras.layers.Layer), {}) for each in made}


class MaxoutDense:
    """max over j of (x W_j + b_j). W: [features, inputs, units], b: [features, units]."""

    def __init__(self: Any, units: int, nb_feature: int = 4, use_bias: bool = True, **others: Any) -> None:
        super().__init__(**others)
        self.units, self.features, self.use_bias = units, nb_feature, use_bias

    def build(self: Any, shape: Any) -> None:
        self.kernel = self.add_weight("W", (self.features, shape[-1], self.units))
        if self.use_bias:
            self.bias = self.add_weight("b", (self.features, self.units))
        self.built = True

    def call(self: Any, inputs: Any) -> Any:
        import tensorflow as tf

        made = tf.einsum("ni,fiu->nfu", inputs, self.kernel)
        return tf.reduce_max(made + self.bias if self.use_bias else made, axis=1)


class Highway:
    """t * h(x W + b) + (1 - t) * x with the gate t = sigmoid(x V + c). Weights: W, V, b, c."""

    def __init__(self: Any, activation: str = "linear", use_bias: bool = True, **others: Any) -> None:
        import tf_keras

        super().__init__(**others)
        self.activation, self.use_bias = tf_keras.activations.get(activation), use_bias

    def build(self: Any, shape: Any) -> None:
        self.kernel, self.carry = (self.add_weight(name, (shape[-1], shape[-1])) for name in ("W", "W_carry"))
        if self.use_bias:
            self.bias, self.carry_bias = (self.add_weight(name, (shape[-1],)) for name in ("b", "b_carry"))
        self.built = True

    def call(self: Any, inputs: Any) -> Any:
        import tensorflow as tf

        made, gate = inputs @ self.kernel, inputs @ self.carry
        if self.use_bias:
            made, gate = made + self.bias, gate + self.carry_bias
        gate = tf.sigmoid(gate)
        return gate * self.activation(made) + (1 - gate) * inputs


class _PerElement:
    """Weights of the shape of a sample; of size 1 along the axes that are shared."""

    names: tuple[str, ...] = ()

    def __init__(self: Any, shared_axes: Any = None, **others: Any) -> None:
        super().__init__(**others)
        self.shared = [shared_axes] if isinstance(shared_axes, int) else list(shared_axes or ())

    def build(self: Any, shape: Any) -> None:
        sizes = [1 if axis in self.shared else size for axis, size in enumerate(shape)][1:]
        self.parameters = [self.add_weight(name, sizes) for name in self.names]
        self.built = True


class ParametricSoftplus(_PerElement):
    """alpha * softplus(beta * x)."""

    names = ("alphas", "betas")

    def call(self: Any, inputs: Any) -> Any:
        import tensorflow as tf

        alpha, beta = self.parameters
        return alpha * tf.math.softplus(beta * inputs)


class SReLU(_PerElement):
    """S-shaped: linear with slope 1 between the thresholds, with slopes of their own outside."""

    names = ("t_left", "a_left", "t_right", "a_right")

    def call(self: Any, inputs: Any) -> Any:
        import tensorflow as tf

        left, left_slope, right, right_slope = self.parameters
        right = left + tf.abs(right)
        below = left + left_slope * (inputs - left)
        above = right + right_slope * (inputs - right)
        return tf.where(inputs <= left, below, tf.where(inputs >= right, above, inputs))


class SampleNormalization:
    """BatchNormalization(mode=1): by mean and deviation of each sample's last axis. The running ones stay unused."""

    def __init__(self: Any, epsilon: float = 1e-3, **others: Any) -> None:
        super().__init__(**others)
        self.epsilon = epsilon

    def build(self: Any, shape: Any) -> None:
        names = ("gamma", "beta", "running_mean", "running_std")
        self.gamma, self.beta, *_ = (self.add_weight(name, (shape[-1],)) for name in names)
        self.built = True

    def call(self: Any, inputs: Any) -> Any:
        import tensorflow as tf

        mean, variance = tf.nn.moments(inputs, [-1], keepdims=True)
        return self.gamma * (inputs - mean) / (tf.sqrt(variance + self.epsilon) + self.epsilon) + self.beta
