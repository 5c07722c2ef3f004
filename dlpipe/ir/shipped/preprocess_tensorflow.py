"""A clip, or what else the original begins with, into this model's inputs: python preprocess.py clip.wav [inputs.npz].

Executes what was cut off the original, and lies beside this file (contract.json, "preprocessing", names it). Needs the
packages numpy and tensorflow.
"""

import json
import os
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read when it is imported
import tensorflow as tf


def prepared(folder: str | Path, file: str | Path) -> dict[str, Any]:
    """{input: array} of one file, for the model in `folder`. Raises OSError, tf.errors.OpError."""
    contract = json.loads(Path(folder, "contract.json").read_text(encoding="utf-8"))
    part = next(each for each in contract["preprocessing"] if each["kind"] == "frontend-subgraph")
    definition = tf.compat.v1.GraphDef.FromString(Path(folder, part["file"]).read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
        fetches = [port["source"] for port in contract["inputs"]]
        with tf.compat.v1.Session(graph=graph) as session:
            values = session.run(fetches, {part["feeds"]: Path(file).read_bytes()})
    return {port["name"]: value for port, value in zip(contract["inputs"], values, strict=True)}


def save(path: str | Path, arrays: Mapping[str, Any]) -> None:
    """An .npz of any names: numpy.savez takes no array called "file"."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)


def main(file: str, inputs: str = "inputs.npz") -> None:
    try:
        save(inputs, prepared(Path(__file__).parent, file))
    except (OSError, tf.errors.OpError) as error:
        sys.exit(f"{file}: {error}")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("usage: python preprocess.py clip.wav [inputs.npz]")
    main(*sys.argv[1:])
