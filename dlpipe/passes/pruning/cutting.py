"""Take positions out of a followed graph: the weights shrink, and what names their sizes follows."""

from typing import Any

import numpy as np
import onnx_ir as ir

from ..graph.infra import constant
from .following import Traced, stored_shape
from .units import Labels


def cut(traced: Traced, gone: set[int]) -> list[str]:
    """In place. `gone`: roots of the units that go. One line per stored tensor that shrank."""

    def kept(labels: Labels) -> Any:
        return ~np.isin(traced.units.roots(labels), sorted(gone))

    changes = []
    for value, dims in traced.labels.items():
        masks = [] if stored_shape(value) is None else [kept(labels) for labels in dims]
        if all(mask.all() for mask in masks):
            continue
        array = constant(value)
        smaller = np.ascontiguousarray(array[np.ix_(*masks)])
        changes.append(f"{value.name}: {list(array.shape)} -> {list(smaller.shape)}")
        value.const_value = ir.tensor(smaller, name=value.name)
        value.shape = value.const_value.shape
    for fix in traced.fixes:
        fix(kept)
    return changes
