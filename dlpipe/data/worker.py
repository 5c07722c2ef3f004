"""Reads a data set of any known kind. Runs in the toolchain that `read_call` chose; most readers need only numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe_worker import Request, operation

from .readers.choose import choose
from .readers.dataset import write
from .readers.detect import reader_for


@operation
def read(request: Request) -> dict[str, Any]:
    """See `read_call`. Raises Refused, which names the file or clip, on whatever is damaged or not understood."""
    path = Path(request.inputs["data"]) / request.params["entry"]
    found = reader_for(path)(path)
    chosen = choose(found.count, request.params["limit"], request.params["seed"])
    for note in (*found.notes, *([found.labels.note] if found.labels.note else [])):
        request.note(note, level="warning")
    labelled = write(found, chosen, Path(request.out), request.progress)
    return {
        "kind": found.kind,
        "count": len(chosen),
        "of": found.count,
        "labelled": labelled,
        "names": found.labels.names,
    }
