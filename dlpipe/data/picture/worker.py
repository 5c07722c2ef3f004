"""Makes a model's input of pictures. Runs in the toolchain `data`: numpy and Pillow."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request, operation
from numpy.typing import NDArray

from ..arrange.saving import save
from ..readers.pixels import decode, header
from ..shipped.preprocess import Frame, Picture, Unfit, made, read


@operation
def picture(request: Request) -> dict[str, Any]:
    """See `picture_call`."""
    contract = json.loads((Path(request.inputs["ir"]) / "contract.json").read_text(encoding="utf-8"))
    how = Picture.of_contract(contract, request.params["input"], request.params["steps"])
    folder, out = Path(request.inputs["data"]), Path(request.out)
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    count, pictures = _pictures(folder, labels, request.params["steps"]["axes"])
    of_bytes = _is_bytes(folder)
    if pictures is None or not (request.params["always"] or of_bytes):
        for path in folder.iterdir():
            (shutil.copytree if path.is_dir() else shutil.copyfile)(path, out / path.name)
        return {"count": count, "white": None}
    try:
        _, size, last = how.layout
    except Unfit as error:
        raise Refused(str(error), kind="unsupported") from error
    samples, frames, sizes = [], [], dict[tuple[int, int], int]()
    before = list[tuple[int, int]]()
    white = 1.0
    try:
        for index, each in enumerate(pictures):
            if index % 64 == 0:
                request.progress("preparing pictures", index / max(count, 1))
            before.append((each.shape[0], each.shape[1]))
            sizes.setdefault(before[-1], each.shape[2])
            white = 255.0 if each.dtype == np.uint8 or each.max(initial=0) > 1 else white
            values, frame = how.made(each)
            samples.append(values)
            frames.append(frame)
    except Unfit as error:
        raise Refused(str(error), hint=error.hint) from error
    if len({each.shape for each in samples}) > 1:
        raise Refused(
            f"the pictures have {len(sizes)} sizes, and the input {how.port['name']} does not say which it takes",
            hint="resize in --preprocess settles it",
        )
    stacked = np.stack(samples)
    # Of reals, only the values tell whether they are bytes.
    plain = how.keeps_bytes if of_bytes else bool((stacked == np.rint(stacked)).all() and stacked.min() >= 0)
    save(out / "samples.npz", {how.port["name"]: how.fed(stacked, plain=plain)})
    now = size or (samples[0].shape[:2] if last else samples[0].shape[1:])
    _write_labels(labels, frames, now, folder, out, request.params["steps"], before)
    first = next(iter(sizes))
    return {"count": count, "white": white, "sizes": len(sizes), "size": list(first), "channels": sizes[first]}


def _pictures(folder: Path, labels: Mapping[str, Any], axes: str | None) -> tuple[int, Iterator[NDArray[Any]] | None]:
    """Of the data set: how many, and each as [height, width, channels]. None for samples that are no pictures."""
    items = sorted((folder / "items").iterdir()) if (folder / "items").is_dir() else []
    if (folder / "samples.npz").is_file():
        with np.load(folder / "samples.npz", allow_pickle=False) as stored:
            arrays = dict(stored)
        x = next(iter(arrays.values()))
        if len(arrays) > 1 or not 3 <= x.ndim <= 5 or (x.ndim == 5 and x.shape[1] != 1):
            return len(x), None
        x = x[:, 0] if x.ndim == 5 else x
        return len(x), (read(each, axes) for each in x)
    if labels["kind"] != "image":
        return len(items), None
    names = labels["items"]
    every = zip(items, names, strict=True)
    return len(items), (read(decode(path, name, grey=header(path, name).grey), axes) for path, name in every)


def _is_bytes(folder: Path) -> bool:
    if not (folder / "samples.npz").is_file():
        return True
    with np.load(folder / "samples.npz", allow_pickle=False) as stored:
        return all(array.dtype == np.uint8 for array in stored.values())


def _write_labels(
    labels: dict[str, Any],
    frames: list[Frame],
    size: Any,
    folder: Path,
    out: Path,
    steps: Mapping[str, Any],
    before: Sequence[tuple[int, int]],
) -> None:
    """before: height, width of each picture as it was; size: as they are now."""
    if labels.get("truth") == "boxes":
        pairs = zip(labels["labels"], frames, strict=True)
        labels["labels"] = [None if boxes is None else [frame.moved(box) for box in boxes] for boxes, frame in pairs]
        labels["input_size"] = list(size)
    mask_sizes = labels.pop("mask_sizes", None)
    text = json.dumps({**labels, "kind": "tensor"}, ensure_ascii=False, sort_keys=True)
    (out / "labels.json").write_text(text, encoding="utf-8")
    if (folder / "labels.npz").is_file():
        with np.load(folder / "labels.npz", allow_pickle=False) as stored:
            save(out / "labels.npz", {"y": _moved(stored["y"], steps, before, size, mask_sizes)})


def _moved(
    y: NDArray[Any], steps: Mapping[str, Any], before: Sequence[tuple[int, int]], size: Any, own: Sequence[Any] | None
) -> NDArray[Any]:
    """Masks go where their pictures go: class numbers are neither mixed nor scaled. own: height, width of each, where
    they differ; arrays of one size that is not their pictures' are left alone."""
    sizes = [y.shape[1:]] * len(y) if own is None else [tuple(each or at) for each, at in zip(own, before, strict=True)]
    other = [index for index, at in enumerate(before) if sizes[index] != at]
    if own is not None and other:
        height, width = sizes[other[0]]
        raise Refused(
            f"the masks have several sizes, {len(other)} of them not that of their picture, such as {height}x{width}",
            kind="unsupported",
            hint="bring each mask to the size of its picture",
        )
    if other or y.ndim != 3 or y.dtype.kind not in "iu" or all(at == tuple(size) for at in before):
        return y
    plain = {**steps, "colour": None, "filter": "nearest", "scale": 1.0, "mean": [], "std": []}
    cut = (mask[:height, :width] for mask, (height, width) in zip(y, sizes, strict=True))
    masks = [made(each.astype(np.float32)[..., None], plain, tuple(size), 1)[0][..., 0] for each in cut]
    return np.stack(masks).astype(y.dtype)
