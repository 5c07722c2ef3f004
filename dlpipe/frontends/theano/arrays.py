"""Lists of parameters, in the order of the layers: what `lasagne.layers.get_all_param_values` gives, saved."""

import re
import zipfile
from pathlib import Path
from typing import Any, List

from dlpipe_worker import Refused

from . import unpickling

KEYS = ("param values", "param_values", "params", "values", "weights")  # in the dictionaries of Lasagne's model zoo


def read(path: Path) -> List[Any]:
    """Of an `.npz` or a pickle. Raises Refused for what holds no list of arrays of numbers."""
    with path.open("rb") as file:
        start = file.read(2)
    found = _read_npz(path) if start == b"PK" else _of_pickle(unpickling.read(path), path.name)
    for number, array in enumerate(found):
        if array.dtype.kind not in "fiub":
            raise Refused(f"array {number} in {path.name} does not hold numbers but {array.dtype}")
    return found


def _read_npz(path: Path) -> List[Any]:
    import numpy as np

    try:
        with np.load(str(path), allow_pickle=False) as file:
            names = file.files
            if not all(re.fullmatch(r"arr_\d+", name) for name in names):
                raise Refused(
                    "{} holds arrays with names of their own ({}), no list of parameters".format(
                        path.name, ", ".join(names[:4])
                    ),
                    kind="unsupported",
                    hint="save it with numpy.savez(file, *lasagne.layers.get_all_param_values(network))",
                )
            _check_sizes(path)
            return [file[name] for name in sorted(names, key=lambda name: int(name[4:]))]
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, KeyError, MemoryError, NotImplementedError) as error:
        raise Refused(f"{path.name} is not a whole list of arrays: {error}") from None
    except Exception as error:
        if type(error).__name__ == "error":  # zlib's
            raise Refused(f"{path.name} is damaged: {error}") from None
        raise


def _check_sizes(path: Path) -> None:
    """What an array claims to be, against the bytes that are packed for it."""
    import numpy as np

    with zipfile.ZipFile(str(path)) as archive:
        for info in archive.infolist():
            with archive.open(info) as member:
                version = np.lib.format.read_magic(member)
                reader = (
                    np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = reader(member)
            size = dtype.itemsize
            for dim in shape:
                size *= dim
            if size > info.file_size:
                raise Refused(f"{info.filename} claims the shape {shape} and holds {info.file_size} bytes")


def _of_pickle(value: Any, name: str) -> List[Any]:
    import numpy as np

    if isinstance(value, dict):
        keys = [key for key in KEYS if key in value]
        if not keys:
            raise Refused(
                f"{name} is a dictionary without a list of parameters; it has {sorted(map(str, value))[:6]}",
                kind="unsupported",
            )
        value = value[keys[0]]
    if isinstance(value, np.ndarray) and value.dtype == object:
        value = list(value.ravel())
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, np.ndarray) for each in value):
        raise Refused(f"{name} holds no list of arrays but {type(value).__name__}", kind="unsupported")
    return list(value)
