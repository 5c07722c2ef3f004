"""The passes' operations. Run in the core toolchain."""

from pathlib import Path

from dlpipe_worker import Request, operation

from . import catalogue
from .graph import infra
from .sensitivity import each


@operation
def apply(request: Request) -> object:
    """ir (+ what the pass needs) -> ir. params: "pass" (its name) and the pass's own parameters.

    Returns {modified, nodes_before, nodes_after, changes: [str]} and what the pass adds. An IR that the pass had
    nothing to do on is handed on byte for byte.
    """
    chosen, work = _asked(request)
    return infra.apply(chosen(), work, Path(request.out))


@operation
def sensitivity(request: Request) -> object:
    """ir, samples (+ what the pass needs) -> nothing: see `registry.sensitivity_call`."""
    chosen, work = _asked(request)
    return each.measure_each(chosen, work, others_in_float=request.params["others_in_float"])


def _asked(request: Request) -> tuple[type[infra.GraphPass], infra.Work]:
    return catalogue.PASSES[request.params["pass"]], infra.Work.of(request)
