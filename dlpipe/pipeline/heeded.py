"""Which of the user's --input, --output and --shape an import took no notice of: a slip in a name must be seen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.ir.contract import Contract, Port


def unheeded(contract: Contract, options: ImportOptions) -> Iterator[str]:
    """A sentence for each. Most frontends refuse a name that they do not know; this finds what the others passed over.

    Names are compared without their decoration (`x:0`, `model/x`). What lies before the ONNX model, as preprocessing,
    may be called otherwise, so nothing is said of such inputs.
    """
    if not contract.preprocessing:
        for name in options.inputs:
            if not _known(name, contract.inputs):
                yield f"--input {name}: the model has no such input; it has {_listed(contract.inputs)}"
    for name in options.outputs:
        if not _known(name, contract.outputs):
            yield f"--output {name}: the model has no such output; it has {_listed(contract.outputs)}"
    sizes = {dim for port in contract.inputs for dim in port.shape}
    for name, size in options.dims.items():
        if name not in sizes and size not in sizes:  # a dim that is still free is set later, where it is fed
            shapes = ", ".join(f"{port.name} {list(port.shape)}" for port in contract.inputs)
            yield f"--shape {name}={size} changed the shape of no input: {shapes}"


def _known(name: str, ports: tuple[Port, ...]) -> bool:
    asked = _bare(name)
    found = {_bare(each) for port in ports for each in (port.name, port.source or port.name)}
    return any(asked == each or each.endswith(asked) or asked.endswith(each) for each in found)


def _bare(name: str) -> str:
    return re.sub(r"\W", "_", re.sub(r":\d+$", "", name)).strip("_").lower()


def _listed(ports: tuple[Port, ...]) -> str:
    return ", ".join(port.name for port in ports[:8])
