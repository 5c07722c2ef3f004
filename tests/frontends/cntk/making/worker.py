"""Worker: builds models with CNTK itself. Runs in the cntk toolchain (Python 3.6)."""

import os
from typing import Any, Dict

import numpy as np
from dlpipe_worker import Request, operation

from ..cntk.executor import import_cntk


@operation
def make(request: Request) -> Dict[str, Any]:
    """none -> model.model. params: code (an expression of the test's own, see cases.py), inputs (name -> shape),
    sequences (names of those that are sequences)."""
    C = import_cntk()
    np.random.seed(5)
    C.cntk_py.set_fixed_random_seed(5)
    known: Dict[str, Any] = {
        "C": C,
        "np": np,
        "p": lambda *shape: C.parameter(init=np.random.uniform(-1, 1, shape).astype("f")),
        "v": lambda *shape: C.constant(np.random.uniform(0.1, 1, shape).astype("f")),
    }
    for name, shape in request.params["inputs"].items():
        if name in request.params["sequences"]:
            known[name] = C.sequence.input_variable(tuple(shape), name=name)
        else:
            known[name] = C.input_variable(tuple(shape), name=name)
    model = eval(request.params["code"], known)
    model.save(os.path.join(request.out, "model.model"))
    return {"op": model.root_function.op_name}
