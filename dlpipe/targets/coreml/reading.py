"""What an operation of a Core ML program holds, as Python has it."""

from typing import Any

import numpy as np
import torch

_FLOATS = (torch.float16, torch.float64)


class Unread(Exception):
    """An operator, or a setting of one, that has no definition here."""


def known(found: Any) -> Any:
    """A stored value: strings, truths and lone numbers as Python's, all others as tensors."""
    if isinstance(found, (str, bool, int)):
        return found
    array = np.asarray(found)
    if array.dtype.kind in "US":
        return str(array)
    tensor = torch.from_numpy(np.array(array))
    tensor = tensor.float() if tensor.dtype in _FLOATS else tensor
    return tensor if array.ndim or tensor.is_floating_point() else array.item()


def ints(found: Any) -> list[int]:
    return [int(each) for each in (found.reshape(-1).tolist() if hasattr(found, "reshape") else [found])]


def number(found: Any) -> float:
    return float(found)
