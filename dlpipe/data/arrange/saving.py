"""An .npz of any names: numpy.savez takes no array called "file"."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def save(path: Path, arrays: Mapping[str, Any]) -> None:
    """The same bytes for the same arrays."""
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array, order="C"), allow_pickle=False)
