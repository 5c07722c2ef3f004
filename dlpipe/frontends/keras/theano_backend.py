"""Files that Keras 2 wrote on the Theano backend, in tf_keras: kernels turned round, and Theano's own padding.

Theano's convolution is the mathematical one: it turns the kernel round, where TensorFlow correlates. Keras kept each
backend's own kernels in the file. (Depthwise and separable layers it turned itself, so these are as TensorFlow's.)

`same` is another thing too. With k = (size - 1) * dilation + 1, Theano pads k // 2 in front, whatever the stride;
TensorFlow pads as little as the stride needs, and the smaller half in front. Keras' pooling on Theano pads size - 2 in
front for odd sizes above 2, else size - 1. The layers here have the names of Keras' own and take their places.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dlpipe_worker import Refused


def layer_classes() -> Mapping[str, Any]:
    """Name of a layer of Keras -> the class to load it as."""
    import tf_keras

    names = [f"{kind}{rank}D" for kind in ("Conv", "MaxPooling", "AveragePooling") for rank in (1, 2, 3)]
    names += ["Conv2DTranspose", "Conv3DTranspose", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"]
    return {name: _subclass(getattr(tf_keras.layers, name), name) for name in names}


def turn_kernels(model: Any) -> None:
    """Reverse the convolution kernels of a loaded model along their spatial axes, in place."""
    from tf_keras.src.layers.convolutional.base_conv import Conv
    from tf_keras.src.layers.convolutional.base_depthwise_conv import DepthwiseConv
    from tf_keras.src.layers.convolutional.base_separable_conv import SeparableConv
    from tf_keras.src.layers.rnn.base_conv_lstm import ConvLSTMCell

    for layer in model._flatten_layers():  # noqa: SLF001 - there is no public way
        if isinstance(layer, ConvLSTMCell):
            if any(size % 2 == 0 for size in layer.kernel_size) or any(step > 1 for step in layer.strides):
                raise Refused(
                    f"the layer {layer.name} is a ConvLSTM of an even size or with strides, on Theano",
                    kind="unsupported",
                    node=layer.name,
                    op="ConvLSTM2D",
                )
            for kernel in (layer.kernel, layer.recurrent_kernel):
                kernel.assign(_turned(kernel.numpy(), layer.rank))
        elif isinstance(layer, Conv) and not isinstance(layer, DepthwiseConv | SeparableConv):
            layer.kernel.assign(_turned(layer.kernel.numpy(), layer.rank))


def _turned(kernel: Any, rank: int) -> Any:
    return kernel[(slice(None, None, -1),) * rank]


def _subclass(base: Any, name: str) -> Any:
    mixed_in = _Pooling if "Pooling" in name else _Transposed if "Transpose" in name else _Convolution
    return type(name, (mixed_in, base), {"plain_call": base.call})


def _pad(values: Any, layer: Any, front: Sequence[int], behind: Sequence[int], fill: float = 0.0) -> Any:
    """Pad the spatial axes."""
    import tensorflow as tf

    widths = list(zip(front, behind, strict=True))
    around = [(0, 0), (0, 0), *widths] if layer.data_format == "channels_first" else [(0, 0), *widths, (0, 0)]
    return tf.pad(values, around, constant_values=fill)


class _Convolution:
    """Conv, DepthwiseConv2D, SeparableConv: `same` becomes padding of its own."""

    def call(self: Any, inputs: Any) -> Any:
        if self.padding != "same":
            return self.plain_call(inputs)
        reach = [(size - 1) * step + 1 for size, step in zip(self.kernel_size, self.dilation_rate, strict=True)]
        front = [each // 2 for each in reach]
        padded = _pad(inputs, self, front, [each - 1 - before for each, before in zip(reach, front, strict=True)])
        self.padding = "valid"
        try:
            return self.plain_call(padded)
        finally:
            self.padding = "same"


class _Pooling:
    def call(self: Any, inputs: Any) -> Any:
        import tensorflow as tf

        if self.padding != "same":
            return self.plain_call(inputs)
        sizes = _as_tuple(self.pool_size)
        front = [size - 2 if size > 2 and size % 2 else size - 1 for size in sizes]
        behind = [max(size - 1 - before, 0) for size, before in zip(sizes, front, strict=True)]

        def pool(values: Any, fill: float) -> Any:
            padded = _pad(values, self, front, behind, fill)
            last = self.data_format == "channels_last"
            order = [0, *range(2, 2 + len(sizes)), 1]
            pooled = tf.nn.pool(
                padded if last else tf.transpose(padded, order),
                list(sizes),
                "MAX" if self._takes_maximum else "AVG",
                strides=list(_as_tuple(self.strides)),
                padding="VALID",
            )
            return pooled if last else tf.transpose(pooled, [0, 1 + len(sizes), *range(1, 1 + len(sizes))])

        if self._takes_maximum:
            return pool(inputs, inputs.dtype.min)
        return pool(inputs, 0.0) / pool(tf.ones_like(inputs), 0.0)  # what was padded does not count

    @property
    def _takes_maximum(self) -> bool:
        return type(self).__name__.startswith("Max")


class _Transposed:
    def call(self: Any, inputs: Any) -> Any:
        """The whole of the transposed convolution, of which Theano keeps n * stride from size // 2 on."""
        import tensorflow as tf

        if self.padding != "same":
            return self.plain_call(inputs)
        if self.output_padding is not None:
            raise Refused(f"the layer {self.name} has output_padding, on Theano", kind="unsupported", node=self.name)
        rank, first = self.rank, 2 if self.data_format == "channels_first" else 1
        activation, self.activation, self.padding = self.activation, None, "valid"
        bias, self.use_bias = self.use_bias, False
        try:
            whole = self.plain_call(inputs)
        finally:
            self.activation, self.padding, self.use_bias = activation, "same", bias
        reach = [(size - 1) * step + 1 for size, step in zip(self.kernel_size, self.dilation_rate, strict=True)]
        whole = _pad(whole, self, [0] * rank, [max(self.strides[axis] - 1, 0) for axis in range(rank)])
        begin, size = [0] * (rank + 2), [-1] * (rank + 2)
        for axis in range(rank):
            begin[first + axis] = reach[axis] // 2
            size[first + axis] = tf.shape(inputs)[first + axis] * self.strides[axis]
        made = tf.slice(whole, begin, size)
        made.set_shape(self.compute_output_shape(inputs.shape))
        if bias:
            made = tf.nn.bias_add(made, self.bias, data_format="NC" + "DHW"[-rank:] if first == 2 else None)
        return made if activation is None else activation(made)


def _as_tuple(value: Any) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)
