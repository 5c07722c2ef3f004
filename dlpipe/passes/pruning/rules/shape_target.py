"""The sizes that a Reshape is told: one constant, or a Concat of constants and of sizes read from a tensor."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from ...graph.infra import add_constant, constant


@dataclass(frozen=True, slots=True)
class ShapeTarget:
    """`entries`: None for a size that is computed, whose value is then in `computed`."""

    entries: list[int | None]
    computed: list[ir.Value | None]

    @classmethod
    def read(cls, node: ir.Node) -> "ShapeTarget | None":
        value = node.inputs[1] if len(node.inputs) > 1 else None
        if value is None or node.attributes.get_int("allowzero", 0):
            return None
        source = value.producer()
        parts = list(source.inputs) if source is not None and source.op_type == "Concat" else [value]
        entries: list[int | None] = []
        computed: list[ir.Value | None] = []
        for part in parts:
            stored = constant(part)
            if stored is not None:
                entries += [int(size) for size in stored]
                computed += [None] * len(stored)
            elif part is not None and part.shape is not None and list(part.shape) == [1] and source is not None:
                entries.append(None)
                computed.append(part)
            else:
                return None
        return cls(entries, computed)

    def replace(self, node: ir.Node, entries: list[int | None]) -> None:
        """Node's second input becomes a new constant, or Concat: the old one may be read by others."""
        stem = f"{node.name or node.outputs[0].name}/pruned_shape"
        if None not in entries:
            node.replace_input_with(1, add_constant(node.graph, np.array(entries, np.int64), stem))
            return
        parts = [
            add_constant(node.graph, np.array([entry], np.int64), stem) if value is None else value
            for entry, value in zip(entries, self.computed, strict=True)
        ]
        joined = ir.Node("", "Concat", parts, [ir.AttrInt64("axis", 0)], name=stem)
        joined.outputs[0].name = f"{stem}/sizes"
        node.prepend(joined)
        node.replace_input_with(1, joined.outputs[0])
