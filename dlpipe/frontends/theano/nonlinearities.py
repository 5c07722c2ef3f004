"""Lasagne's nonlinearities -> ONNX: by name, or {"name": "LeakyRectify", "leakiness": 0.2}."""

from __future__ import annotations

from typing import Any

import numpy as np

from .description import Layer

_SLOPES = {"leaky_rectify": 0.01, "very_leaky_rectify": 1 / 3}
_PLAIN = {"rectify": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softplus": "Softplus"}


def nonlinearity(builder: Any, layer: Layer, value: Any, asked: Any) -> Any:
    """`value`: (name, shape) of what goes in; the same of what comes out."""
    options = dict(asked) if isinstance(asked, dict) else {"name": asked}
    name, (source, shape) = options.pop("name", None), value
    if name in (None, "linear", "identity"):
        return value
    if name in _PLAIN:
        made = builder.add(layer, _PLAIN[name], [source], shape)
    elif name == "elu":
        made = builder.add(layer, "Elu", [source], shape, alpha=1.0)
    elif name == "selu":
        made = builder.add(layer, "Selu", [source], shape)
    elif name in _SLOPES or name == "LeakyRectify":
        slope = _SLOPES.get(name) or float(options.pop("leakiness", 0.01))
        made = builder.add(layer, "LeakyRelu", [source], shape, alpha=slope)
    elif name in ("ScaledTanH", "ScaledTanh"):
        inner, outer = float(options.pop("scale_in", 1)), float(options.pop("scale_out", 1))
        inner_, outer_ = (
            builder.constant(layer, what, np.array(number, builder.network.float_dtype))
            for what, number in (("scale_in", inner), ("scale_out", outer))
        )
        scaled = builder.add(layer, "Mul", [source, inner_], shape)
        bent = builder.add(layer, "Tanh", [scaled[0]], shape)
        made = builder.add(layer, "Mul", [bent[0], outer_], shape)
    elif name == "softmax" and len(shape) == 2:
        made = builder.add(layer, "Softmax", [source], shape, axis=1)
    else:
        raise layer.refuse(f"has the nonlinearity {asked!r}")
    if options:
        raise layer.refuse(f"gives its nonlinearity {', '.join(sorted(options))}")
    return made
