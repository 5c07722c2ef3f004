"""Files that torch.save wrote: weights are read without executing anything, a pickled module on the user's word."""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from dlpipe_worker import Refused

from ..kit import usercode

_DEEPEST = 4  # how far weights are looked for in nested checkpoints
_USUAL = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "params", "ema", "")
_WRAPPERS = ("module.", "_orig_mod.")  # DataParallel's and torch.compile's
_GROUPS = 2  # of weights, in a listing
_SHOWN = 4  # tensors at each end of a listing


def read(path: Path, unsafe: bool, folder: str, factory: str | None) -> Any:
    """The object in the file. Raises Refused: damaged, or a pickle that may not be executed.

    folder, factory: where a pickled module's own classes are found, when `unsafe`.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not unsafe:
            raise _pickled(path, error) from error
    except Exception as error:
        raise _damaged(path, error) from error
    return _execute(path, folder, factory)


def _pickled(path: Path, error: Exception) -> Refused:
    named = re.search(r"(?:GLOBAL|Unsupported global:?|class)\s+(?:GLOBAL\s+)?([\w.]+)", str(error))
    if named is None and "invalid load key" in str(error):
        return _damaged(path, error)
    return Refused(
        f"{path.name} is a pickle that executes code when it is read" + (f" (it names {named[1]})" if named else ""),
        kind="unsupported",
        hint="if you trust where it came from: --unsafe-load; safer: torch.export.save, or its state_dict",
    )


def _damaged(path: Path, error: Exception) -> Refused:
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return Refused(f"{path.name} is damaged or cut off: {text[:200]}", hint="is the download or copy complete?")


def _execute(path: Path, folder: str, factory: str | None) -> Any:
    """Only on the user's word."""
    usercode.begin(folder)
    main, added = vars(sys.modules["__main__"]), []
    if factory is not None:  # the classes that the pickle names: of that module, perhaps run as a script when saved
        module = usercode.load_module(folder, factory.partition(":")[0])
        added = [name for name in vars(module) if name not in main]
        main.update({name: vars(module)[name] for name in added})
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except (AttributeError, ModuleNotFoundError, ImportError) as error:
        raise Refused(
            f"{path.name} needs code that is not in it: {error}",
            kind="unsupported",
            hint="give the file that defines the class: --factory FILE.py:CLASS (and --unsafe-load)",
        ) from error
    except Exception as error:
        raise _damaged(path, error) from error
    finally:
        for name in added:
            del main[name]


def find_module(value: Any) -> torch.nn.Module | None:
    """The one module in a pickled object, perhaps in a checkpoint's dict."""
    if isinstance(value, torch.nn.Module):
        return value
    if isinstance(value, Mapping):
        found = [each for each in value.values() if isinstance(each, torch.nn.Module)]
        named = [value[name] for name in _USUAL if isinstance(value.get(name), torch.nn.Module)]
        if len(found) == 1 or named:
            return (named or found)[0]
    return None


def find_states(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    """(where in the checkpoint, tensors by name) of each group of weights."""
    if isinstance(value, torch.nn.Module):
        yield name, dict(value.state_dict())
    if not isinstance(value, Mapping) or depth > _DEEPEST:
        return
    tensors = {str(key): each for key, each in value.items() if isinstance(each, torch.Tensor)}
    if tensors and len(tensors) * 2 > len(value):
        yield name, tensors
    for key, each in value.items():
        yield from find_states(each, str(key), depth + 1)


def fill(module: torch.nn.Module, value: Any, path: Path) -> None:
    """Load the checkpoint's weights into the module, all of them. Raises Refused, naming what does not fit."""
    wanted = module.state_dict()
    groups = sorted(find_states(value), key=lambda each: _USUAL.index(each[0]) if each[0] in _USUAL else 99)
    if not groups:
        raise Refused(f"{path.name} holds no weights: {describe(value)}")
    for _, tensors in groups:
        renamed = _renamed(tensors, wanted)
        if renamed is not None:
            module.load_state_dict(renamed, strict=False)
            return
    tensors = _unwrapped(groups[0][1])
    missing = sorted(name for name in wanted if name not in tensors and not name.endswith("num_batches_tracked"))
    unknown = sorted(set(tensors) - set(wanted))
    other = [
        f"{name} is {_shape(tensors[name])}, the network's {_shape(each)}"
        for name, each in wanted.items()
        if name in tensors and tensors[name].shape != each.shape
    ]
    faults = [*other[:3]]
    faults += [f"the file lacks {', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}"] if missing else []
    faults += [f"the network lacks {', '.join(unknown[:3])}{' ...' if len(unknown) > 3 else ''}"] if unknown else []
    raise Refused(
        f"the weights of {path.name} do not fit the network that the factory builds: {'; '.join(faults)}",
        hint="the factory must build the very network that was trained",
    )


def _renamed(tensors: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor] | None:
    """The tensors under the network's names, or None where they are not the same set. Counters of batches may lack."""
    plain = _unwrapped(tensors)
    heads = {name.partition(".")[0] + "." for name in plain}
    tries = [plain]
    if len(heads) == 1:  # a wrapper of the user's own, such as Lightning's `model.`
        head = next(iter(heads))
        tries.append({name.removeprefix(head): each for name, each in plain.items()})
    for names in tries:
        lacking = {name for name in wanted if name not in names and not name.endswith("num_batches_tracked")}
        known = all(name in wanted and wanted[name].shape == each.shape for name, each in names.items())
        if known and not lacking:
            return names
    return None


def _unwrapped(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    names = dict(tensors)
    while head := next((each for each in _WRAPPERS if names and all(name.startswith(each) for name in names)), None):
        names = {name.removeprefix(head): each for name, each in names.items()}
    return names


def describe(value: Any) -> str:
    """What a checkpoint holds, in a line or two."""
    parts = []
    groups = sorted(((_count(tensors), where, tensors) for where, tensors in find_states(value)), key=_largest_first)
    large = [each for each in groups[:_GROUPS] if each[0] * 10 > groups[0][0]]
    for count, where, tensors in large:
        shown = [f"{name} {_shape(each)}" for name, each in tensors.items()]
        if len(shown) > 2 * _SHOWN:
            shown = [*shown[:_SHOWN], "...", *shown[-_SHOWN:]]
        inside = f" in {where!r}" if where else ""
        parts.append(f"{len(tensors)} tensors{inside}, {count:,} values ({', '.join(shown)})")
    if len(groups) > len(large):
        parts.append(f"{len(groups) - len(large)} smaller groups, such as an optimizer keeps")
    if isinstance(value, Mapping):
        rest = [str(key) for key, each in value.items() if not isinstance(each, torch.Tensor | Mapping)]
        parts += [f"and {', '.join(sorted(rest)[:8])}"] if rest else []
    return "; ".join(parts) or f"a {type(value).__name__}"


def _count(tensors: Mapping[str, torch.Tensor]) -> int:
    return sum(each.numel() for each in tensors.values())


def _largest_first(group: tuple[int, str, Any]) -> tuple[int, str]:
    return -group[0], group[1]


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
