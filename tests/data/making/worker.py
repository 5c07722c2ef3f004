"""Writes data sets with the packages that others write them with. Runs in the toolchains `data` and `parquet`."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Request, operation
from PIL import Image


@operation
def pictures(request: Request) -> object:
    """params: pictures [{name, mode, size [w, h], seed, format}] -> these files; random pixels."""
    for each in request.params["pictures"]:
        path = Path(request.out) / each["name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_encoded(**{key: value for key, value in each.items() if key != "name"}))
    return None


@operation
def pixels(request: Request) -> object:
    """files -> pixels.npz: what Pillow makes of each file as it is, under its name. params: names."""
    found = {name: np.asarray(Image.open(Path(request.inputs["files"]) / name)) for name in request.params["names"]}
    np.savez(Path(request.out) / "pixels.npz", **found)
    return None


@operation
def table(request: Request) -> object:
    """params: columns {name: values}, pictures (how many), names (of the classes) -> t.parquet"""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = dict(request.params.get("columns", {}))
    count = request.params.get("pictures", 0)
    if count:
        columns["image"] = [{"bytes": _encoded("RGB", [5, 4], seed, "PNG"), "path": None} for seed in range(count)]
    made = pa.table(columns)
    if "names" in request.params:
        features = {"label": {"names": request.params["names"], "_type": "ClassLabel"}}
        made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(made, Path(request.out) / "t.parquet", row_group_size=2)
    return None


def _encoded(mode: str, size: list[int], seed: int, kind: str) -> bytes:
    bands = {"L": (), "I;16": (), "RGB": (3,), "RGBA": (4,)}[mode]
    dtype = np.uint16 if mode == "I;16" else np.uint8
    random = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, (size[1], size[0], *bands), dtype=dtype)
    stream = io.BytesIO()
    Image.fromarray(random).save(stream, format=kind)
    return stream.getvalue()
