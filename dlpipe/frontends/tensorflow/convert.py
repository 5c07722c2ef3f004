"""From a frozen TensorFlow graph to ONNX through tf2onnx, and the checks that tf2onnx leaves out."""

import logging
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

from . import loops
from .canonical import canonicalise
from .graphs import Graph, first_line
from .onnx_graph import all_graphs, all_nodes, rename_tensors, replace

LARGEST_PROTOBUF = 1 << 30  # bytes; above it the weights go into a file of their own


def to_onnx(graph: Graph, inputs: dict[str, str], outputs: dict[str, str], opset: int) -> Any:
    """`inputs`, `outputs`: the name in the ONNX model -> the tensor in `graph`.

    Raises Refused for operators that ONNX lacks, with the node and operator to blame.
    """
    import tensorflow as tf
    import tf2onnx
    from tf2onnx import convert, optimizer, tf_loader, utils

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    # What tf2onnx remembers of the last conversion in this process: how far its names count, and functions by name.
    utils.INTERNAL_NAME = 1
    tf_loader._FUNCTIONS.clear()  # noqa: SLF001 - there is no public way
    # tf2onnx merges equal nodes into whichever it meets first, in the order of memory addresses: left to the passes.
    optimizers = dict(optimizer._get_optimizers())  # noqa: SLF001 - there is no public way
    del optimizers["merge_duplication"]
    fed, wanted = list(inputs.values()), list(outputs.values())
    with tf.Graph().as_default():
        tf.compat.v1.import_graph_def(graph, name="")  # grappler asks the default graph for the functions
        optimised = tf_loader.tf_optimize(fed, wanted, graph)
    model, _ = convert._convert_common(  # noqa: SLF001 - the public from_graph_def takes no optimizers
        optimised,
        name="model",
        continue_on_error=True,
        opset=opset,
        input_names=fed,
        output_names=wanted,
        custom_op_handlers={"Erfc": (_erfc, [])},
        optimizers=optimizers,
    )
    _check_operators(model, opset)
    _rename_ports(model, inputs, outputs)
    loops.simplify(model.graph)
    canonicalise(model.graph)
    model.producer_name, model.producer_version, model.graph.name = "tf2onnx", tf2onnx.__version__, "model"
    model.doc_string = model.graph.doc_string = ""
    return model


def _erfc(context: Any, node: Any, name: str, _args: Any) -> None:
    """Erfc(x) = 1 - Erf(x), which ONNX lacks; the exact GELU is made of it."""
    import numpy as np
    from tf2onnx import utils

    dtype = utils.map_onnx_to_numpy_type(context.get_dtype(node.input[0]))
    one = context.make_const(utils.make_name("one"), np.array(1, dtype)).output[0]
    erf = context.make_node("Erf", [node.input[0]], name=name + "/Erf").output[0]
    shapes, dtypes = node.output_shapes, node.output_dtypes
    context.remove_node(name)
    context.make_node("Sub", [one, erf], name=name, outputs=node.output, shapes=shapes, dtypes=dtypes)


def _check_operators(model: Any, opset: int) -> None:
    """tf2onnx leaves an operator that it cannot convert in the graph, by its TensorFlow name, and reports success."""
    import onnx

    for node in all_nodes(model.graph):
        if node.domain not in ("", "ai.onnx", "ai.onnx.ml") or not onnx.defs.has(node.op_type, opset, node.domain):
            raise Refused(
                f"ONNX has no counterpart for the TensorFlow operator {node.op_type} (node {node.name})",
                kind="unsupported",
                hint="name outputs before it with --output, or replace the operator in the original",
                node=node.name,
                op=node.op_type,
            )


def _rename_ports(model: Any, inputs: dict[str, str], outputs: dict[str, str]) -> None:
    """ "Mfcc:0" becomes "Mfcc". An output that is an input, or the same tensor as another output, gets a node."""
    import onnx

    graph = model.graph
    expected = list(outputs.values())
    fed = {tensor: name for name, tensor in inputs.items()}
    names: dict[str, str] = dict(fed)
    copies: list[Any] = []
    for name, tensor in outputs.items():
        if tensor in names:
            copies.append(onnx.helper.make_node("Identity", [names[tensor]], [name], name=name))
        else:
            names[tensor] = name
    described = {value.name: value for value in graph.output}
    missing = [tensor for tensor in expected if tensor not in described]
    if missing:
        raise Refused(f"the conversion lost the output {missing[0]}", kind="unsupported", node=missing[0].split(":")[0])
    rename_tensors(graph, names)
    graph.node.extend(copies)
    ports = []
    for name, tensor in outputs.items():
        value = onnx.ValueInfoProto()
        value.CopyFrom(described[tensor])
        value.name = name
        ports.append(value)
    replace(graph.output, ports)
    by_name = {value.name: value for value in graph.input}
    replace(graph.input, [by_name[name] for name in inputs if name in by_name])


def set_shape(value: Any, shape: list[int | str]) -> None:
    """Write a port's shape into the model: numbers, and names for what is free."""
    tensor = value.type.tensor_type
    tensor.ClearField("shape")
    tensor.shape.SetInParent()
    for dim in shape:
        if isinstance(dim, str):
            tensor.shape.dim.add().dim_param = dim
        else:
            tensor.shape.dim.add().dim_value = dim


def finish(model: Any, path: Path) -> None:
    """Check the whole model, infer its shapes and write it. Raises Refused when the conversion is not valid ONNX."""
    import onnx

    try:
        # What tf2onnx noted on the way may contradict what the graph's ports now say.
        for graph in all_graphs(model.graph):
            del graph.value_info[:]
        large = model.ByteSize() > LARGEST_PROTOBUF
        if not large:
            model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
            for graph in all_graphs(model.graph):
                replace(graph.value_info, sorted(graph.value_info, key=lambda value: value.name))
            onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise Refused(f"the conversion is not a valid ONNX model: {first_line(error)}", kind="unsupported") from None
    if large:
        onnx.save(model, str(path), save_as_external_data=True, location="model.onnx.data", size_threshold=1024)
        return
    path.write_bytes(model.SerializeToString(deterministic=True))
