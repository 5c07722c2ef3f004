"""What the checks of a package say when a stored weight is another one. Runs in the coreml toolchain."""

import json
from pathlib import Path

import numpy as np
from dlpipe_worker import Request, operation

from ..coreml import checking, converting, package
from ..torch_module import exporting


@operation
def compare(request: Request) -> object:
    """ir -> the package as it is, and damaged: `difference`, `weights`."""
    folder = Path(request.inputs["ir"])
    contract = json.loads((folder / "contract.json").read_text(encoding="utf-8"))
    exported = exporting.export(folder, contract, "Core ML")
    made = converting.convert(exported, contract, "fp32")
    kernel = max(exported.state_dict.values(), key=lambda tensor: tensor.numel()).numpy()
    damaged = made.weights.replace(kernel.tobytes(), (kernel + np.float32(0.5)).tobytes())
    names = converting.names([*contract["inputs"], *contract["outputs"]])
    found = []
    for name, weights in (("whole", made.weights), ("damaged", damaged)):
        entry = Path(request.out, name)
        package.write(entry, made.spec, weights)
        spec, program = checking.read(entry)
        checking.ports(spec, contract, names)
        difference = checking.computed(program, exported, contract, names)
        found.append({"difference": difference, "weights": checking.weights(program, exported)})
    try:
        checking.ports(spec, {**contract, "outputs": [{**contract["outputs"][0], "dtype": "int32"}]}, names)
    except RuntimeError as error:
        return [*found, str(error)]
    return found
