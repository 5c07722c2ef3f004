"""The I/O contract as frontends write it, and the samples it speaks of. Clean down to Python 3.6, for old frameworks.

A port is {name, dtype, shape, source, layout}: `dtype` is numpy's name, a dim is an int or a name (free dim),
`source` the tensor's name in the original model, `layout` e.g. "NCHW" where it is known.
"""

import json
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

BATCH = "N"  # what a free batch dim is called

Port = Dict[str, Any]


def port(
    name: str,
    dtype: str,
    shape: Sequence[Union[int, str]],
    source: Optional[str] = None,
    layout: Optional[str] = None,
) -> Port:
    dims = [dim if isinstance(dim, str) else int(dim) for dim in shape]
    return {"name": name, "dtype": str(dtype), "shape": dims, "source": source, "layout": layout}


def write_contract(
    folder: str,
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    labels: Sequence[str] = (),
    metadata: Optional[Mapping[str, Any]] = None,
    preprocessing: Sequence[Mapping[str, Any]] = (),
) -> Dict[str, Any]:
    """Write contract.json (dlpipe/ir/contract.py). Returns it."""
    contract = {
        "version": "dlpipe.io/1",
        "inputs": list(inputs),
        "outputs": list(outputs),
        "preprocessing": [dict(each) for each in preprocessing],
        "labels": list(labels),
        "metadata": dict(metadata or {}),
    }
    text = json.dumps(contract, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    Path(folder, "contract.json").write_text(text, encoding="utf-8")
    return contract


def read_contract(folder: str) -> Dict[str, Any]:
    found: Dict[str, Any] = json.loads(Path(folder, "contract.json").read_text(encoding="utf-8"))
    return found


def read_labels(folder: str, entry: str) -> List[str]:
    """One class name a line, from `labels.txt` beside the model. No such file: no labels."""
    model = Path(folder, entry)
    path = (model if model.is_dir() else model.parent) / "labels.txt"
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def read_samples(folder: str, ports: Sequence[Port]) -> Dict[str, Any]:
    """Port name -> [N, *shape]; sample i is exactly what is fed."""
    import numpy as np

    with np.load(str(Path(folder, "samples.npz")), allow_pickle=False) as file:
        return {each["name"]: file[each["name"]].astype(each["dtype"], copy=False) for each in ports}


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    """Like numpy.savez, with no time stamps and with any name for an array: the same bytes every time."""
    import numpy as np

    with zipfile.ZipFile(str(path), "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array, order="C"), allow_pickle=False)
