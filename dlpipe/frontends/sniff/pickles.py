"""Whose pickle it is, by the names that it would import; nothing of it is executed (pickletools only reads it)."""

from __future__ import annotations

import pickletools
import re
from pathlib import Path

from .found import Found

PICKLE_HEADS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
RISK = "a pickle: reading it executes the code that it names"
# What torch.load(weights_only=True) takes: containers of tensors, and nothing that could run code of the file's choice.
_HARMLESS = re.compile(
    r"collections OrderedDict|torch (\w*Storage|Size|device|dtype|\w*Tensor|float\d+|int\d+|bfloat16)"
    r"|torch\._utils _rebuild_\w+|torch\._tensor _rebuild_\w+|torch\.nn\.parameter \w+|torch\.storage \w+"
    r"|_codecs encode|numpy\.?\S* (dtype|ndarray|_reconstruct|scalar)"
    r"|builtins (set|dict|list|int|float|complex|bytearray)"
)
_OWNERS = (
    ("sklearn", "sklearn/joblib", "a scikit-learn model (joblib or pickle)"),
    ("xgboost", "xgboost/pickle", "a pickled XGBoost model"),
    ("lightgbm", "lightgbm/pickle", "a pickled LightGBM model"),
    ("theano", "theano/pickle", "a pickled Theano graph"),
    ("lasagne", "theano/pickle", "a pickled Lasagne network"),
    ("torch", "pytorch/module", "a pickled PyTorch object"),
    ("numpy", "theano/pickle", "a pickled list of arrays"),
    ("cPickle", "theano/pickle", "a pickled list of arrays"),
)
_LOOKED_AT = 64 << 20


def pickled(path: Path, head: bytes) -> Found:
    with path.open("rb") as file:
        data = file.read(_LOOKED_AT)
    if head.startswith(TORCH_LEGACY):  # magic number, protocol version, system: three pickles, and then the object
        return _torch(_globals(data, pickles=4))
    names = _globals(data)
    # joblib writes arrays between the opcodes: what was read until then must do.
    for owner, form, title in _OWNERS:
        if any(name.split(".")[0].split()[0] == owner for name in names):
            return Found(form, title, risks=(RISK,))
    return Found("python/pickle", "a Python pickle, which executes code when it is read", risks=(RISK,))


def state_or_module(data: bytes) -> Found:
    """Of the `data.pkl` in a PyTorch archive."""
    return _torch(_globals(data))


def _torch(names: list[str]) -> Found:
    foreign = [name for name in names if not _HARMLESS.fullmatch(name)]
    if not foreign:
        return Found("pytorch/state-dict", "a PyTorch state dict or checkpoint")
    return Found("pytorch/module", f"a pickled PyTorch module (it names {foreign[0]})", risks=(RISK,))


def _globals(data: bytes, pickles: int = 1) -> list[str]:
    """The "module name" pairs that the pickles would import, as far as they can be read."""
    found: dict[str, None] = {}
    strings: list[str] = []
    rest = data
    try:
        for _ in range(pickles):
            end = 0
            for opcode, argument, position in pickletools.genops(rest):
                if opcode.name in ("GLOBAL", "INST"):
                    found[str(argument)] = None
                elif opcode.name == "STACK_GLOBAL" and len(strings) >= 2:
                    found[f"{strings[-2]} {strings[-1]}"] = None
                elif isinstance(argument, str):
                    strings = [*strings[-1:], argument]
                end = (position or 0) + 1
            rest = rest[end:]
    except (ValueError, IndexError, OverflowError, UnicodeDecodeError, KeyError):
        pass  # what comes behind may be arrays, or damage: the frontend will tell
    return list(found)
