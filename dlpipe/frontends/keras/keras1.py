"""The architecture of a Keras 1 file in the words of Keras 2: names of classes, of arguments, and merge layers.

What only training needs (initialisers, regularisers, constraints, dropout within recurrent layers) is left out. The
weights keep their order; tf_keras itself turns those of Keras 1 into its own.
"""

from collections.abc import Callable
from typing import Any

from dlpipe_worker import Refused

from . import configs
from .configs import Config

CLASSES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "AtrousConv1D": "Conv1D",
    "AtrousConv2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconv2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
    "TimeDistributedDense": "Dense",
    "Container": "Model",
}
ARGUMENTS = {
    "nb_filter": "filters",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "filter_length": "kernel_size",
    "atrous_rate": "dilation_rate",
    "pool_length": "pool_size",
    "stride": "strides",
    "bias": "use_bias",
    "p": "rate",
    "sigma": "stddev",
    "inner_activation": "recurrent_activation",
    "length": "size",
}
ORDERINGS = {"th": "channels_first", "tf": "channels_last"}
SILENT = frozenset(f"{kind}{rank}D" for kind in ("Cropping", "UpSampling", "ZeroPadding") for rank in (2, 3))
DECONVOLUTIONS = frozenset({"Deconvolution2D", "Deconv2D"})
MERGES = {"sum": "Add", "mul": "Multiply", "concat": "Concatenate", "ave": "Average", "max": "Maximum", "dot": "Dot"}
TRAINING_ONLY = frozenset({"init", "inner_init", "forget_bias_init", "dropout_W", "dropout_U", "weights"})
TRAINING_ONLY |= {"consume_less"}
TRAINING_ONLY |= {"alpha_init", "beta_init", "gamma_init", "t_left_init", "a_left_init", "t_right_init", "a_right_init"}
TRAINING_SUFFIXES = ("_regularizer", "_constraint")
COUNTS_UNITS = frozenset({"Dense", "MaxoutDense", "SimpleRNN", "GRU", "LSTM"})  # their output_dim is units
WITHOUT_AXES = 4  # numbers of a ZeroPadding2D: top, bottom, left, right


def upgrade(config: Config) -> Config:
    """Raises Refused for what Keras 2 has no counterpart of, naming the layer."""
    _say_orderings(config)
    return _upgrade(config)


def _say_orderings(config: Config) -> None:
    """Some layers do not write their ordering of dims: it is that of the others."""
    items = [(layer, item) for layer, item in configs.objects(config) if isinstance(item["config"], dict)]
    said = {item["config"]["dim_ordering"] for _, item in items if "dim_ordering" in item["config"]}
    for layer, item in items:
        if item["class_name"] in SILENT and "dim_ordering" not in item["config"]:
            if len(said) != 1:
                raise Refused(
                    f"nothing says which axis of the layer {layer} are the channels",
                    kind="unsupported",
                    node=layer,
                    op=str(item["class_name"]),
                )
            item["config"]["dim_ordering"] = next(iter(said))


def _upgrade(config: Config) -> Config:
    name = str(config.get("class_name"))
    if name == "Graph":
        raise Refused("the model is a Graph of Keras 0, which no later Keras reads", kind="unsupported", op="Graph")
    if name == "Sequential":
        return _sequential(config)
    inner = config.get("config")
    if isinstance(inner, dict) and isinstance(inner.get("layers"), list):
        made = {**inner, "layers": [_placed(each) for each in configs.layers(config)]}
        return {**config, "class_name": CLASSES.get(name, name), "config": made}
    return _layer(config)


def _placed(item: Config) -> Config:
    """A layer in a graph: with a name and where its inputs come from."""
    return {**_upgrade(item), "name": item.get("name"), "inbound_nodes": item.get("inbound_nodes", [])}


def _sequential(config: Config) -> Config:
    layers = configs.layers(config)
    first = layers[0] if layers else {}
    if first.get("class_name") == "Merge" and isinstance(first.get("config"), dict) and first["config"].get("layers"):
        return _joined(layers)
    return {**config, "config": [_upgrade(each) for each in layers]}


def _joined(layers: list[Config]) -> Config:
    """A Sequential that begins by merging others, as a graph of all their layers."""
    placed: list[Config] = []
    ends = [_chain(each, placed) for each in layers[0]["config"]["layers"]]
    inputs = [each["name"] for each in placed if each["class_name"] == "InputLayer"]
    last = _place(_layer(layers[0]), ends, placed)
    for each in layers[1:]:
        last = _place(_upgrade(each), [last], placed)
    ports = {"input_layers": [[name, 0, 0] for name in inputs], "output_layers": [[last, 0, 0]]}
    return {"class_name": "Model", "config": {"name": "merged", "layers": placed, **ports}}


def _chain(branch: Config, placed: list[Config]) -> str:
    """Add the layers of a Sequential, and its input. Returns the name of the last one."""
    layers = configs.layers(branch)
    if branch.get("class_name") != "Sequential" or not layers or layers[0].get("class_name") == "Merge":
        raise Refused(
            f"the merged branch {configs.name_of(branch)!r} is no plain Sequential",
            kind="unsupported",
            node=configs.name_of(branch) or None,
            op="Merge",
        )
    made = [_upgrade(each) for each in layers]
    shape = made[0]["config"].pop("batch_input_shape", None)
    last = f"{configs.name_of(made[0])}_input"
    inner = {"name": last, "batch_input_shape": shape, "dtype": made[0]["config"].get("dtype", "float32")}
    placed.append({"name": last, "class_name": "InputLayer", "config": inner, "inbound_nodes": []})
    for each in made:
        last = _place(each, [last], placed)
    return last


def _place(item: Config, sources: list[str], placed: list[Config]) -> str:
    name = configs.name_of(item)
    placed.append({**item, "name": name, "inbound_nodes": [[[source, 0, 0, {}] for source in sources]]})
    return name


def _layer(item: Config) -> Config:
    inner, old = item.get("config"), str(item.get("class_name"))
    if not isinstance(inner, dict):
        raise Refused(f"the layer {old} has no configuration", op=old)
    if old == "Merge":
        return {**item, **_merge(inner)}
    kind = CLASSES.get(old, old)
    made: Config = {}
    for key, value in inner.items():
        if key in TRAINING_ONLY or key.endswith(TRAINING_SUFFIXES):
            continue
        if key == "dim_ordering":
            if str(value) not in ORDERINGS:
                raise Refused(f"the layer {configs.name_of(item)} has the unknown dim_ordering {value!r}", op=old)
            made["data_format"] = ORDERINGS[value]
        elif key == "layer" and isinstance(value, dict):
            made["layer"] = _upgrade(value)
        else:
            made[ARGUMENTS.get(str(key), str(key))] = value
    _gather_kernel(made)
    _settle_input(made, kind)
    dtype = made.pop("input_dtype", None)
    if kind == "InputLayer" and dtype is not None:
        made["dtype"] = dtype
    if kind in COUNTS_UNITS and "output_dim" in made:
        made["units"] = made.pop("output_dim")
    if kind in _OTHERS:
        _OTHERS[kind](made)
    return {**item, "class_name": _renamed(kind, made), "config": made}


def _gather_kernel(made: Config) -> None:
    """nb_row, nb_col, or kernel_dim1 ... 3, become the kernel_size."""
    for keys in (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3")):
        if keys[0] in made:
            made["kernel_size"] = [made.pop(key) for key in keys]


def _settle_input(made: Config, kind: str) -> None:
    """input_dim and input_length say what batch_input_shape does, except in an Embedding."""
    if kind == "Embedding":
        made.pop("dropout", None)
        return
    width, length = made.pop("input_dim", None), made.pop("input_length", None)
    recurrent = kind in ("SimpleRNN", "GRU", "LSTM", "Conv1D", "LocallyConnected1D")
    if width is not None and made.get("batch_input_shape") is None:
        made["batch_input_shape"] = [None, length, width] if recurrent else [None, width]


def _merge(inner: Config) -> Config:
    name, mode = inner.get("name"), str(inner.get("mode"))
    if inner.get("mode_type", "raw") != "raw" or mode not in MERGES:
        raise Refused(
            f"the layer {name} merges by {'code of its own' if inner.get('mode_type', 'raw') != 'raw' else mode}, "
            "which Keras 2 has not",
            kind="unsupported",
            node=name,
            op="Merge",
        )
    made: Config = {"name": name}
    if mode == "concat":
        made["axis"] = inner.get("concat_axis", -1)
    if mode == "dot":
        made["axes"] = inner.get("dot_axes", -1)
    return {"class_name": MERGES[mode], "config": made}


def _recurrent(made: Config) -> None:
    made["implementation"] = 1


def _gru(made: Config) -> None:
    _recurrent(made)
    made["reset_after"] = False


def _padding(made: Config) -> None:
    padding = made.get("padding")
    if isinstance(padding, dict):
        keys = ["top_pad", "bottom_pad", "left_pad", "right_pad"]
        padding = [padding.get(key, 0) for key in (keys if set(keys[:2]) & set(padding) else keys[2:])]
    if isinstance(padding, list) and len(padding) == WITHOUT_AXES:
        padding = [padding[:2], padding[2:]]
    made["padding"] = padding


def _normalization(made: Config) -> None:
    mode = made.pop("mode", 0)
    if mode not in (0, 1):
        raise Refused(
            f"the layer {made.get('name')} normalises by the statistics of whatever batch it is fed with (mode {mode})",
            kind="unsupported",
            node=made.get("name"),
            op="BatchNormalization",
        )
    made["per_sample"] = mode == 1


def _renamed(kind: str, made: Config) -> str:
    if kind == "BatchNormalization" and made.pop("per_sample"):
        made.pop("axis", None), made.pop("momentum", None)
        return "SampleNormalization"
    return kind


_OTHERS: dict[str, Callable[[Config], Any]] = {
    "GRU": _gru,
    "LSTM": _recurrent,
    "ZeroPadding1D": _padding,
    "ZeroPadding2D": _padding,
    "BatchNormalization": _normalization,
    "Conv2DTranspose": lambda made: made.pop("output_shape", None),  # see `check_shapes`
}


def check_shapes(config: Config, model: Any) -> None:
    """Keras 1 was told what shape a deconvolution gives; later Keras computes it. Raises Refused where these differ."""
    made = {layer.name: layer for layer in model._flatten_layers()}  # noqa: SLF001 - there is no public way
    for name, item in configs.objects(config):
        if item["class_name"] in DECONVOLUTIONS and name in made:
            wanted, found = list(item["config"]["output_shape"])[1:], list(made[name].output_shape)[1:]
            if wanted != found:
                raise Refused(
                    f"the layer {name} gives the shape {wanted} in Keras 1 and {found} in Keras 2",
                    kind="unsupported",
                    node=name,
                    op="Deconvolution2D",
                )


def backend_of(config: Config) -> str | None:
    """The backend that a file of Keras 1 was most likely written on: it does not say, its ordering of dims does.

    None: nothing tells. It matters where there is a convolution, whose kernel Theano turns round.
    """
    orderings: set[Any] = set()
    convolves = False
    for _, item in configs.objects(config):
        inner = item["config"]
        if isinstance(inner, dict):
            orderings.add(inner.get("dim_ordering"))
            convolves |= "nb_filter" in inner
    if orderings & {"th"}:
        return "theano"
    return None if convolves and not orderings & {"tf"} else "tensorflow"
