"""Quantisers of QONNX, Brevitas and FINN, written as standard operators with the same arithmetic.

Source: the public operator descriptions of QONNX (docs/qonnx-custom-ops of fastmachinelearning/qonnx). What an FPGA
target wants to know of them is kept in the model's metadata under `dlpipe.quantizers`.
"""

import json
from typing import Any

from dlpipe_worker import Refused

from . import quantiser_rules as rules
from . import walk, writing

DOMAINS = ("onnx.brevitas", "finn", "finn.custom_op.general", "qonnx.custom_op.general")
METADATA = "dlpipe.quantizers"
_MANY = 4096  # numbers of one scale, beyond which only its shape is kept
RULES = {
    "Quant": rules.quant,
    "IntQuant": rules.quant,
    "BipolarQuant": rules.bipolar,
    "Trunc": rules.trunc,
    "MultiThreshold": rules.multi_threshold,
    "QuantAvgPool2d": rules.average_pool,
    "XnorPopcountMatMul": rules.xnor_popcount,
}


def lower(model: Any, ranks: dict[str, int]) -> list[str]:
    """Replaces all nodes of DOMAINS in place; returns what to say of it. ranks: of values, where they are known.

    Wants operator set 13 or later. Raises Refused for an operator or a use of one that is not understood.
    """
    stored = writing.Stored(model)
    kept: list[dict[str, Any]] = []
    mine = [node for node in walk.nodes(model) if node.domain in DOMAINS]
    # A runtime for integers takes the whole net or nothing of it, and its roundings differ in the last bit.
    integers = all(rules.is_eight_bit(node, stored) for node in mine if stored.get(node.input[0]) is None)

    def wanted(node: Any) -> writing.Replace | None:
        if node.domain not in DOMAINS:
            return None
        rule = RULES.get(node.op_type)
        if rule is None:
            raise Refused(
                f"the operator {node.op_type} of {node.domain} has no counterpart in standard ONNX here",
                kind="unsupported",
                node=node.name,
                op=walk.qualified(node),
            )
        kept.append(_record(node, stored))

        def replace(node: Any, writer: writing.Writer) -> None:
            rule(rules.Quantiser(node, writer, stored, ranks, integers))

        return replace

    gone = writing.replace_nodes(model, wanted)
    if gone:
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA, json.dumps(kept, sort_keys=True)
    counts = sorted({walk.qualified(node) for node in gone})
    return [f"{len(gone)} quantisers ({', '.join(counts)}) were written as standard operators"] if gone else []


def _record(node: Any, stored: writing.Stored) -> dict[str, Any]:
    """What the file says of a quantiser: its parameters as numbers where they are stored."""
    parameters = {}
    for name in node.input[1:]:
        array = stored.get(name)
        if array is not None:
            parameters[name] = array.tolist() if array.size <= _MANY else {"shape": list(array.shape)}
    return {
        "name": node.name,
        "domain": node.domain,
        "op": node.op_type,
        "inputs": list(node.input),
        "output": node.output[0],
        "attributes": {
            name: value for name, value in writing.attributes(node).items() if isinstance(value, (int, float, str))
        },
        "parameters": parameters,
        "quantises_weights": stored.get(node.input[0]) is not None,
    }
