"""Data sets: what the user names with `--data`, read in the jail into samples with labels. Host side."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from dlpipe.contracts.call import Call
from dlpipe.data.arrange import (
    given_call,
    inside_call,
    join_call,
    nudge_call,
    part_call,
    pick_call,
    prepare_call,
    rename_call,
    split_call,
    subset_call,
    summarise_call,
)
from dlpipe.data.picture import picture_call
from dlpipe.data.readers.magic import TOOLCHAINS, heavy_kind
from dlpipe.errors import Unsupported, UserError

_WORKER = Path(__file__).with_name("worker.py")
_PAIRS = ((r"images([-.])idx\d", r"labels\1idx1"), (r"^x(?=[_.-])", "y"), (r"^X(?=[_.-])", "y"))
_KINDS = (
    "a WAV folder or an image folder (one folder per class), .npz, .npy, IDX, CSV, TFRecord, RecordIO, LMDB, Parquet"
)


def read_call(spec: str, *, limit: int | None = None, seed: int = 0) -> tuple[Mapping[str, Path], Call]:
    """What to take into the store (name -> file or folder), and the call that reads it.

    Input of the call: `data`, the folder with these names. Output: `labels.json` with {"labels": [a label or None per
    sample], "truth": what a label is (`readers/labels.py`; left out for classes), "names": [class names] or None,
    "items": [a name per sample], "kind": "tensor"|"wav"|"image"}, `labels.npz` ("y" [N, ...]) where labels are arrays,
    and either `samples.npz` (one array [N, ...] per name, "x" where the file has none) or `items/000000.wav` and so on;
    for pictures of one size both. Value:
    {"kind", "count", "of", "labelled", "names"}: `count` samples read `of` those there. With `limit`, that many are
    chosen with `seed`; they keep their order, which is that of the sorted names.

    Raises UserError where there is no such file, Unsupported for a kind of data set that dlpipe does not read.
    """
    path = Path(spec).expanduser()
    if not path.exists():
        if re.fullmatch(r"[\w.]+:[A-Za-z_]\w*", spec):
            raise Unsupported("data from a Python function is not supported yet", hint=f"supported: {_KINDS}")
        raise UserError(f"there is no {path}", hint=f"check the name; what can be read: {_KINDS}")
    path = path.resolve() if path.name in ("", "..") else path
    if path.is_dir() and not any(path.iterdir()):
        raise UserError(f"the folder {path} is empty", hint=f"--data takes {_KINDS}")
    files = {path.name: path}
    if path.is_file():
        files |= {companion.name: companion for companion in _companions(path)}
    toolchain = TOOLCHAINS.get(heavy_kind(path) or "", "core")
    return files, Call(toolchain, _WORKER, "read", {"entry": path.name, "limit": limit, "seed": seed})


def _companions(path: Path) -> list[Path]:
    """The labels that belong to a file of images (IDX) or features (x.npy), packed or not."""
    for pattern, replacement in _PAIRS:
        name, changed = re.subn(pattern, replacement, path.name, count=1)
        if changed:
            other = path.with_name(name)
            packed = other.with_suffix("") if other.suffix == ".gz" else other.with_name(name + ".gz")
            return [file for file in (other, packed) if file.is_file()][:1]
    return []


__all__ = [
    "given_call",
    "inside_call",
    "join_call",
    "nudge_call",
    "part_call",
    "pick_call",
    "picture_call",
    "prepare_call",
    "read_call",
    "rename_call",
    "split_call",
    "subset_call",
    "summarise_call",
]
