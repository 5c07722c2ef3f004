"""A described network, built of Theano's operators: what Lasagne would make of it. Python 3.7, with Theano."""

from typing import Any, Dict, List  # noqa: F401 - for comments on types

from .description import INPUT, Layer, Network


class Builder:
    """`values`: name of a layer -> (symbolic value, shape with None for the batch)."""

    def __init__(self, network: Network, parameters: List[Any]) -> None:
        import theano.tensor as T

        self.network = network
        self._left = list(parameters)
        self.input = T.TensorType(network.dtype, [False] * len(network.shape))(INPUT)
        self.values = {INPUT: self.input}  # type: Dict[str, Any]

    def build(self) -> None:
        for layer in self.network.layers:
            handle = getattr(self, "_" + layer.kind, None)
            if handle is None:
                raise layer.refuse(f"is a {layer.kind}, which is not executed here")
            made = handle(layer.options, *[self.values[each] for each in layer.sources])
            if layer.kind in _WITH_RECTIFIER:
                made = _nonlinear(made, layer.options.get("nonlinearity", "rectify"), layer)
            self.values[layer.name] = made

    def _take(self) -> Any:
        import theano

        value = self._left.pop(0)
        return theano.shared(value.astype(self.network.float_dtype if value.dtype.kind == "f" else value.dtype))

    def _bias(self, options: Any, made: Any, pattern: List[Any]) -> Any:
        return made if options.get("b", True) is None else made + self._take().dimshuffle(*pattern)

    def _convolve(self, options: Any, x: Any, rank: int) -> Any:
        import theano.tensor as T

        kernel = self._take()
        pad = options.get("pad", 0)
        border = pad if isinstance(pad, str) else _sizes(pad, rank)
        border = "half" if border == "same" else border
        convolve = T.nnet.conv3d if rank == 3 else T.nnet.conv2d
        if rank == 1:
            made = T.nnet.conv2d(
                x.dimshuffle(0, 1, 2, "x"),
                kernel.dimshuffle(0, 1, 2, "x"),
                border_mode=border if isinstance(border, str) else border + (0,),
                subsample=_sizes(options.get("stride", 1), 1) + (1,),
                filter_flip=options.get("flip_filters", True),
            )[:, :, :, 0]
        else:
            more = {"num_groups": options["num_groups"]} if options.get("num_groups", 1) != 1 else {}
            made = convolve(
                x,
                kernel,
                border_mode=border,
                subsample=_sizes(options.get("stride", 1), rank),
                filter_flip=options.get("flip_filters", True),
                **more,
            )
        if options.get("untie_biases"):
            return self._bias(options, made, ["x"] + list(range(rank + 1)))
        return self._bias(options, made, ["x", 0] + ["x"] * rank)

    def _Conv1DLayer(self, options: Any, x: Any) -> Any:
        return self._convolve(options, x, 1)

    def _Conv2DLayer(self, options: Any, x: Any) -> Any:
        return self._convolve(options, x, 2)

    def _Conv3DLayer(self, options: Any, x: Any) -> Any:
        return self._convolve(options, x, 3)

    def _DilatedConv2DLayer(self, options: Any, x: Any) -> Any:
        import theano.tensor as T

        made = T.nnet.conv2d(
            x,
            self._take().dimshuffle(1, 0, 2, 3),
            filter_flip=options.get("flip_filters", False),
            filter_dilation=_sizes(options.get("dilation", 1), 2),
        )
        return self._bias(options, made, ["x", 0, "x", "x"])

    def _TransposedConv2DLayer(self, options: Any, x: Any) -> Any:
        import theano.tensor as T

        kernel = self._take()
        size, stride = _sizes(options["filter_size"], 2), _sizes(options.get("stride", 1), 2)
        crop = options.get("crop", 0)
        crop = (
            {"same": tuple(each // 2 for each in size), "full": tuple(each - 1 for each in size), "valid": (0, 0)}[crop]
            if isinstance(crop, str)
            else _sizes(crop, 2)
        )
        shape = [(x.shape[2 + i] - 1) * stride[i] + size[i] - 2 * crop[i] for i in range(2)]
        op = T.nnet.abstract_conv.AbstractConv2d_gradInputs(
            subsample=stride, border_mode=crop, filter_flip=not options.get("flip_filters", False)
        )
        return self._bias(options, op(kernel, x, shape), ["x", 0, "x", "x"])

    _Deconv2DLayer = _TransposedConv2DLayer

    def _DenseLayer(self, options: Any, x: Any) -> Any:
        import theano.tensor as T

        leading = options.get("num_leading_axes", 1)
        leading = leading + x.ndim if leading < 0 else leading
        x = x.flatten(leading + 1) if x.ndim > leading + 1 else x
        made = T.dot(x, self._take())
        return self._bias(options, made, ["x"] * (made.ndim - 1) + [0])

    def _NINLayer(self, options: Any, x: Any) -> Any:
        import theano.tensor as T

        made = T.tensordot(self._take(), x, axes=[[0], [1]])
        made = made.dimshuffle(1, 0, *range(2, made.ndim))
        return self._bias(options, made, ["x", 0] + ["x"] * (made.ndim - 2))

    def _pool(self, options: Any, x: Any, rank: int, mode: str) -> Any:
        from theano.tensor.signal import pool

        size = _sizes(options["pool_size"], rank)
        stride = size if options.get("stride") is None else _sizes(options["stride"], rank)
        pad = _sizes(options.get("pad", 0), rank)
        more = {"ignore_border": options.get("ignore_border", True), "mode": mode}
        if rank == 1:
            made = pool.pool_2d(x.dimshuffle(0, 1, 2, "x"), size + (1,), stride=stride + (1,), pad=pad + (0,), **more)
            return made[:, :, :, 0]
        return (pool.pool_3d if rank == 3 else pool.pool_2d)(x, size, stride=stride, pad=pad, **more)

    def _MaxPool1DLayer(self, options: Any, x: Any) -> Any:
        return self._pool(options, x, 1, "max")

    def _MaxPool2DLayer(self, options: Any, x: Any) -> Any:
        return self._pool(options, x, 2, "max")

    def _MaxPool3DLayer(self, options: Any, x: Any) -> Any:
        return self._pool(options, x, 3, "max")

    def _Pool1DLayer(self, options: Any, x: Any) -> Any:
        return self._pool(options, x, 1, options.get("mode", "max"))

    def _Pool2DLayer(self, options: Any, x: Any) -> Any:
        return self._pool(options, x, 2, options.get("mode", "max"))

    def _GlobalPoolLayer(self, options: Any, x: Any) -> Any:
        return getattr(x.flatten(3), options.get("pool_function", "mean"))(axis=2)

    def _BatchNormLayer(self, options: Any, x: Any) -> Any:
        pattern = ["x", 0] + ["x"] * (x.ndim - 2)
        beta = 0 if options.get("beta", True) is None else self._take().dimshuffle(*pattern)
        gamma = 1 if options.get("gamma", True) is None else self._take().dimshuffle(*pattern)
        mean, inverse = (self._take().dimshuffle(*pattern) for _ in range(2))
        return (x - mean) * (gamma * inverse) + beta

    def _LocalResponseNormalization2DLayer(self, options: Any, x: Any) -> Any:
        import theano.tensor as T

        n, squares = options.get("n", 5), x * x
        half = n // 2
        empty = T.zeros_like(squares[:, :1])
        padded = T.concatenate([empty] * half + [squares] + [empty] * half, axis=1)
        total = sum(padded[:, i : i + x.shape[1]] for i in range(n))
        return x / (options.get("k", 2) + options.get("alpha", 1e-4) * total) ** options.get("beta", 0.75)

    def _BiasLayer(self, options: Any, x: Any) -> Any:
        return x + self._take().dimshuffle("x", 0, *["x"] * (x.ndim - 2))

    def _ScaleLayer(self, options: Any, x: Any) -> Any:
        return x * self._take().dimshuffle("x", 0, *["x"] * (x.ndim - 2))

    def _ParametricRectifierLayer(self, options: Any, x: Any) -> Any:
        import theano.tensor as T

        return T.nnet.relu(x, self._take().dimshuffle("x", 0, *["x"] * (x.ndim - 2)))

    def _ConcatLayer(self, options: Any, *values: Any) -> Any:
        import theano.tensor as T

        return T.concatenate(values, axis=options.get("axis", 1))

    def _ElemwiseSumLayer(self, options: Any, *values: Any) -> Any:
        import theano.tensor as T

        made, join = values[0], {"mul": T.mul, "maximum": T.maximum, "minimum": T.minimum}
        for other in values[1:]:
            made = join.get(options.get("merge_function", "add"), T.add)(made, other)
        return made

    _ElemwiseMergeLayer = _ElemwiseSumLayer

    def _FlattenLayer(self, options: Any, x: Any) -> Any:
        return x.flatten(options.get("outdim", 2))

    def _ReshapeLayer(self, options: Any, x: Any) -> Any:
        shape = [x.shape[e[0]] if isinstance(e, list) else x.shape[0] if e is None else e for e in options["shape"]]
        return x.reshape(shape, ndim=len(shape))

    def _DimshuffleLayer(self, options: Any, x: Any) -> Any:
        return x.dimshuffle(*options["pattern"])

    def _Upscale2DLayer(self, options: Any, x: Any) -> Any:
        import theano.tensor as T

        for axis, factor in enumerate(_sizes(options["scale_factor"], x.ndim - 2)):
            x = T.extra_ops.repeat(x, factor, axis=axis + 2)
        return x

    _Upscale1DLayer = _Upscale2DLayer

    def _PadLayer(self, options: Any, x: Any) -> Any:
        import theano.tensor as T

        first, width = options.get("batch_ndim", 2), options["width"]
        for axis in range(first, x.ndim):
            side = width[axis - first] if isinstance(width, list) else width
            front, behind = side if isinstance(side, list) else (side, side)
            strip = T.zeros_like(x.take([0], axis=axis)) + T.cast(options.get("val", 0), x.dtype)
            x = T.concatenate([strip] * front + [x] + [strip] * behind, axis=axis)
        return x

    def _EmbeddingLayer(self, options: Any, x: Any) -> Any:
        return self._take()[x]

    def _DropoutLayer(self, options: Any, x: Any) -> Any:
        return x

    _GaussianNoiseLayer = _NonlinearityLayer = _DropoutLayer


_WITH_RECTIFIER = frozenset(
    ["DenseLayer", "NINLayer", "NonlinearityLayer", "TransposedConv2DLayer", "Deconv2DLayer", "DilatedConv2DLayer"]
    + ["Conv1DLayer", "Conv2DLayer", "Conv3DLayer"]
)


def _sizes(value: Any, rank: int) -> Any:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,) * rank


def _nonlinear(x: Any, asked: Any, layer: Layer) -> Any:
    import theano.tensor as T

    options = asked if isinstance(asked, dict) else {"name": asked}
    name = options.get("name")
    leak = {"leaky_rectify": 0.01, "very_leaky_rectify": 1 / 3.0, "LeakyRectify": options.get("leakiness", 0.01)}
    if name in (None, "linear", "identity"):
        return x
    if name in leak:
        return T.nnet.relu(x, leak[name])
    if name in ("ScaledTanH", "ScaledTanh"):
        return options.get("scale_out", 1) * T.tanh(options.get("scale_in", 1) * x)
    known = {"rectify": T.nnet.relu, "sigmoid": T.nnet.sigmoid, "tanh": T.tanh, "softplus": T.nnet.softplus}
    known.update({"elu": T.nnet.elu, "selu": T.nnet.selu, "softmax": T.nnet.softmax})
    if name not in known:
        raise layer.refuse(f"has the nonlinearity {asked!r}")
    return known[name](x)
