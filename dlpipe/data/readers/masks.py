"""A folder of pictures with a folder of masks beside it: a mask says the class of each pixel. Worker side, in the
toolchain `data`."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
from dlpipe_worker import Refused

from . import pixels
from .dataset import Dataset
from .labels import Labels

_PICTURES = ("images", "imgs", "JPEGImages")
_MASKS = ("masks", "annotations", "SegmentationClass", "targets")


def masked(folder: Path, found: Dataset) -> Dataset | None:
    """Only the pictures, each with its mask: the file of the same name but for its ending. None where the folder is
    divided otherwise. Masks of several sizes stand in the upper left corner of their rows, until they are brought to
    one with their pictures. Raises Refused for masks of colours, or of no picture."""
    tops = {path.name for path in folder.iterdir() if path.is_dir()}
    pictures, masks = ([name for name in names if name in tops] for names in (_PICTURES, _MASKS))
    if len(pictures) != 1 or len(masks) != 1 or tops != {pictures[0], masks[0]}:
        return None
    by_name = {
        PurePosixPath(item).relative_to(masks[0]).with_suffix(""): number
        for number, item in enumerate(found.items)
        if item.startswith(f"{masks[0]}/")
    }
    kept, labels = list[int](), list[bool | None]()
    arrays = []
    for number, item in enumerate(found.items):
        if not item.startswith(f"{pictures[0]}/"):
            continue
        mask = by_name.get(PurePosixPath(item).relative_to(pictures[0]).with_suffix(""))
        kept.append(number)
        labels.append(None if mask is None else True)
        arrays.append(None if mask is None else pixels.indices(found.files[mask], found.items[mask]))
    known = [array for array in arrays if array is not None]
    if not known:
        raise Refused(f"no file in {masks[0]} is called as one in {pictures[0]}; only their endings may differ")
    sizes = [None if array is None else (array.shape[0], array.shape[1]) for array in arrays]
    height, width = (max(array.shape[axis] for array in known) for axis in (0, 1))
    stacked = np.zeros((len(arrays), height, width), np.result_type(*known))
    for row, array in zip(stacked, arrays, strict=True):
        if array is not None:
            row[: array.shape[0], : array.shape[1]] = array
    several = len({array.shape for array in known}) > 1
    return Dataset(
        kind=found.kind,
        count=len(kept),
        files=[found.files[number] for number in kept],
        items=[found.items[number] for number in kept],
        labels=Labels(labels, truth="array", array=stacked, mask_sizes=sizes if several else None),
        check=found.check,
    )
