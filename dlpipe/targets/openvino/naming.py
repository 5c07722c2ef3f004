"""Names that do not depend on what a process has read before: OpenVINO numbers what it makes itself by a counter."""

import re
from pathlib import Path
from typing import Any

_LAYER = re.compile(r'(<layer id="(\d+)" name=")(\w+_\d+)(" type="\w+")')
_BODY = re.compile(r"<(/?)(?:\w+_)?body>")


def name(model: Any) -> None:
    """In place: the nodes of the graph that the ONNX model has no name for, by their kind and place."""
    for place, node in enumerate(model.get_ordered_ops()):
        if node.get_friendly_name() == node.get_name():
            node.set_friendly_name(f"{node.get_type_name()}_{place}")


def name_bodies(file: Path) -> None:
    """The same for the bodies of loops and branches, which only the file shows."""
    text = file.read_text(encoding="utf-8")
    if not _BODY.search(text):
        return
    lines, depth = text.splitlines(keepends=True), 0
    for number, line in enumerate(lines):
        if depth:
            lines[number] = _LAYER.sub(
                lambda found: f"{found[1]}{found[3].rpartition('_')[0]}_{found[2]}{found[4]}", line
            )
        depth += sum(-1 if found[1] else 1 for found in _BODY.finditer(line))
    file.write_text("".join(lines), encoding="utf-8")
