"""Binding arrays to a model's inputs: by name, or the only one to the only one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from numpy.typing import NDArray


def bind(
    stored: Mapping[str, NDArray[Any]], inputs: Sequence[Mapping[str, Any]], *, pictures: bool = False
) -> dict[str, NDArray[Any]]:
    """Input name -> array [N, *shape of one sample]. Raises Refused where names, shapes or dtypes do not fit.

    Axes of length 1 may be missing or too many ([N, 49, 10] fits [1, 49, 10, 1]). Of decoded pictures it is known that
    they are [N, height, width, channels]: they are turned for an input [1, channels, height, width], where they do not
    fit as they are. Nothing else is ever guessed.
    """
    names = [port["name"] for port in inputs]
    arrays = {name: stored[name] for name in names if name in stored}
    if not arrays and len(names) == 1 and len(stored) == 1:
        arrays = {names[0]: next(iter(stored.values()))}
    elif not arrays and len(names) == 1 and "x" in stored:
        arrays = {names[0]: stored["x"]}
    missing = [name for name in names if name not in arrays]
    if missing:
        raise Refused(
            f"the data has no array for the model's input {missing[0]}",
            hint=f"arrays in the data: {', '.join(stored)}; the model's inputs: {', '.join(names)}",
        )
    counts = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise Refused(f"the data's arrays hold different numbers of samples, or none: {counts}")
    return {port["name"]: _fit(_turned(arrays[port["name"]], port, pictures), port) for port in inputs}


def _turned(array: NDArray[Any], port: Mapping[str, Any], pictures: bool) -> NDArray[Any]:
    shape = list(port["shape"])
    if not pictures or array.ndim != 4 or len(shape) != 4:
        return array
    channels_first = [array.shape[3], *array.shape[1:3]]
    return np.moveaxis(array, 3, 1) if shape[1:] == channels_first and shape[1:] != list(array.shape[1:]) else array


def _fit(array: NDArray[Any], port: Mapping[str, Any]) -> NDArray[Any]:
    shape, sample = list(port["shape"]), list(array.shape[1:])
    wanted = np.dtype(port["dtype"])
    if array.dtype.kind not in "fiub" or (wanted.kind in "iu" and array.dtype.kind == "f"):
        raise Refused(f"input {port['name']} takes {wanted}, and the data is {array.dtype}")
    if wanted.kind in "iu":
        _check_range(array, port["name"], np.iinfo(wanted))
    if len(sample) == len(shape) and all(isinstance(w, str) or w == h for w, h in zip(shape, sample, strict=True)):
        return array.astype(wanted, copy=False)
    # The first symbolic dim of a model is its batch: one sample at a time.
    fixed = [1 if isinstance(dim, str) and index == 0 else dim for index, dim in enumerate(shape)]
    if _without_ones(fixed) == _without_ones(sample) and all(isinstance(dim, int) for dim in fixed):
        return array.astype(wanted, copy=False).reshape([len(array), *fixed])
    if [*sample] == fixed[1:] or _fits_symbols(fixed[1:], sample):
        return array.astype(wanted, copy=False)[:, np.newaxis]
    raise Refused(
        f"input {port['name']} takes {shape}, and one sample of the data has the shape {sample}",
        hint="the first axis of the data counts the samples; a layout is never guessed",
    )


def _check_range(array: NDArray[Any], name: str, wanted: np.iinfo[Any]) -> None:
    """Bytes of 128 and more would be negative numbers of an int8 input, and nobody would know."""
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    if low < wanted.min or high > wanted.max:
        raise Refused(
            f"input {name} takes {wanted.dtype}, and the data holds numbers from {low} to {high}",
            hint="numbers are fed as they are: bring them into its range first; of pictures, --preprocess does that",
        )


def _fits_symbols(fixed: Sequence[int | str], sample: Sequence[int]) -> bool:
    return len(fixed) == len(sample) and all(
        isinstance(want, str) or want == have for want, have in zip(fixed, sample, strict=True)
    )


def _without_ones(shape: Sequence[int | str]) -> list[int | str]:
    return [dim for dim in shape if dim != 1]
