"""Values from inside a graph: the model executed as it is written, with more outputs than it has."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx

from . import executing, files

Probe = Callable[[Sequence[str]], list[Any]]


@contextmanager
def probing(folder: Path, model: Any, samples: Path, scratch: Path) -> Iterator[Probe]:
    """probe(names) -> those values of the first sample. model: that of the IR folder `folder`, as it was read.

    Weights beside the model are copied to `scratch`, since links are refused: once, however often it is asked.
    """
    declared = [value.name for value in model.graph.output]
    place = Path(tempfile.mkdtemp(dir=scratch))

    def probe(names: Sequence[str]) -> list[Any]:
        del model.graph.output[len(declared) :]
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in declared)
        (place / files.MODEL).write_bytes(model.SerializeToString())
        session = executing.open_session(place / files.MODEL, optimisation="none")
        values: list[Any] = session.run(list(names), executing.one(executing.feeds_of(session, samples), 0))
        return values

    try:
        for path in folder.iterdir():
            if path.name != files.MODEL and path.is_file():
                shutil.copyfile(path, place / path.name)
        yield probe
    finally:
        del model.graph.output[len(declared) :]
        shutil.rmtree(place)
