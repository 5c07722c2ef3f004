"""Every value gets a name of its own, although Caffe2 nets write the same blob again and again.

Used by the converter and by the executor of originals, so that both speak of the same values. Clean down to Python 3.7.
"""

from __future__ import annotations

from collections.abc import Sequence


def single_assignment(
    operators: Sequence[tuple[Sequence[str], Sequence[str]]],
) -> tuple[list[tuple[list[str], list[str]]], dict[str, str]]:
    """operators: the blobs that each reads and writes. Returns (those of each under their new names, blob -> the name
    of its last value).

    The last value of a blob keeps the blob's name, earlier ones are `blob@1`, `blob@2` ...; a blob that is read before
    it is written keeps its name for that first value.
    """
    writes: dict[str, int] = {}
    fed: set[str] = set()
    for inputs, outputs in operators:
        fed.update(blob for blob in inputs if blob not in writes)
        for blob in outputs:
            writes[blob] = writes.get(blob, 0) + 1
    done: dict[str, int] = {}
    names: dict[str, str] = {}
    renamed = []
    for inputs, outputs in operators:
        read = [names.setdefault(blob, blob) for blob in inputs]
        for blob in outputs:
            done[blob] = done.get(blob, 0) + 1
            last = done[blob] == writes[blob] and blob not in fed
            names[blob] = blob if last else f"{blob}@{done[blob]}"
        renamed.append((read, [names[blob] for blob in outputs]))
    return renamed, names
