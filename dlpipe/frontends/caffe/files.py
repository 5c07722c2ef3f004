"""Which files of a source belong together."""

from __future__ import annotations

from pathlib import Path

from dlpipe_worker import Refused


def find_weights(source: Path, entry: str) -> Path:
    """The one caffemodel beside the prototxt. Raises Refused where there is none, or several."""
    folder = (source / entry).parent
    found = sorted(folder.glob("*.caffemodel"))
    named = [each for each in found if each.stem == Path(entry).stem]
    if len(named or found) == 1:
        return (named or found)[0]
    if found:
        raise Refused(f"there are {len(found)} caffemodels beside {entry}: {', '.join(each.name for each in found)}")
    raise Refused(f"there is no caffemodel beside {entry}", hint="a prototxt says how a net computes, not its weights")
