"""The passes' one operation. Runs in the core toolchain."""

from pathlib import Path

from dlpipe_worker import Request, operation

from .graph import catalogue, infra


@operation
def apply(request: Request) -> object:
    """ir (+ what the pass needs) -> ir. params: "pass" (its name) and the pass's own parameters.

    Returns {modified, nodes_before, nodes_after, changes: [str]} and what the pass adds. An IR that the pass had
    nothing to do on is handed on byte for byte.
    """
    chosen = catalogue.PASSES[request.params["pass"]]
    work = infra.Work(
        params={key: value for key, value in request.params.items() if key != "pass"},
        inputs={name: Path(folder) for name, folder in request.inputs.items()},
        note=request.note,
        progress=request.progress,
    )
    return infra.apply(chosen(), work, Path(request.out))
