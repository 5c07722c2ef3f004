"""Weights for a prototxt that has none: random numbers in the shapes that the converter asks for."""

from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Request, operation

from ..caffe import boundary, importing, net, step  # noqa: TID252 (the house of a worker has no name)


@operation
def make(request: Request) -> dict[str, int]:
    """source -> one .npy per blob, named <layer number>-<blob number>, and their names as the value. params: entry."""
    random, made = np.random.default_rng(0), {}

    def blob(each: step.Step, index: int, shape: list[int]) -> Any:
        fan = np.prod(shape[1:]) if len(shape) > 1 else 1
        array = random.standard_normal(shape) * np.sqrt(2 / fan) if len(shape) > 1 else random.uniform(0.5, 1.5, shape)
        made[(each.layer.name, index)] = array.astype(np.float32)
        return made[(each.layer.name, index)]

    original, step.Step.blob = step.Step.blob, blob
    try:
        described = net.read_net(Path(request.inputs["source"]) / request.params["entry"])
        importing._Build(described, {}, boundary.find_boundary(described, {}, {}, {}), fixed=True)
    finally:
        step.Step.blob = original
    names = {}
    for number, ((layer, index), array) in enumerate(made.items()):
        np.save(Path(request.out) / f"{number}.npy", array)
        names[str(number)] = [layer, index]
    return names
