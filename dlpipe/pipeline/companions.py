"""Files that belong together: what lies beside the file that is named, found by its name; ONNX files are asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dlpipe.errors import UserError
from dlpipe.pipeline.onnx_data import data_files

ALWAYS = (
    "labels.txt",
    "frame_subsampling_factor",  # how Kaldi's chain models skip frames
    "preprocessor_config.json",  # how Hugging Face's models take pictures
    "config.json",  # and timm's; another's says nothing of that, and is left alone
)
_ONNX_DATA = ("{name}.data", "{name}_data", "{stem}.data")
_COMBINED = ("__params__", "params")

# Name of the file -> for each thing that it wants, where that may be: the first pattern that matches counts. The
# groups of the expression stand as {0}, {1} in the patterns.
_WANTED: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    (r"(.+)\.prototxt(?:\.txt)?", (("{0}.caffemodel", "{0}*.caffemodel", "*.caffemodel"),)),
    (r"(.+)\.caffemodel", (("{0}.prototxt", "deploy.prototxt", "*deploy*.prototxt", "*.prototxt"),)),
    (r"(.+)-symbol\.json", (("{0}-????.params", "{0}.params"),)),
    (r"(.+)-\d{4}\.params", (("{0}-symbol.json",),)),
    (r"(.+)\.params", (("{0}-symbol.json", "{0}.json"),)),
    (r"(.+)\.cfg", (("{0}.weights", "{0}*.weights", "*.weights"),)),
    (r"(.+)\.weights", (("{0}.cfg", "*.cfg"),)),
    (r"(.+)\.param", (("{0}.bin",),)),
    (r"(.+)\.bin", (("{0}.param",),)),
    (r"(.+)\.pdmodel", (("{0}.pdiparams",),)),
    (r"__model__", (_COMBINED,)),
    (r"(.+)\.pdiparams(?:\.info)?", (("{0}.pdmodel", "{0}.json"),)),
    (
        r"(.+)\.json",
        (("{0}.pdiparams", "{0}_weights.h5", "{0}.weights.h5", "{0}-weights.h5", "{0}.h5", "{0}*.h5", "*.h5"),),
    ),
    (r"(.+?)[_.-]?weights\.(?:h5|hdf5)", (("{0}.json", "*.json"),)),
    (r"(.*)predict(.*)\.pb(?:txt)?", (("{0}init{1}.pb", "{0}init{1}.pbtxt"), ("value_info.json",))),
    (r"(.+)_init\.pb(?:txt)?", (("{0}_predict.pb", "{0}_predict.pbtxt", "{0}.pb", "{0}.pbtxt"), ("value_info.json",))),
    (r"(.*)init(.*)\.pb(?:txt)?", (("{0}predict{1}.pb", "{0}predict{1}.pbtxt"), ("value_info.json",))),
    (r"(.+)\.pb(?:txt)?", (("{0}_init.pb", "{0}_init.pbtxt"),)),
    (r"(.+)\.meta", (("{0}.index",),)),
    (r"(.+)\.(?:index|data-\d+-of-\d+)", (("{0}.meta",), ("{0}.index",))),
    (r"(.+)\.(?:npz|pkl|pickle)", (("{0}.layers.json", "{0}.layers.toml"),)),
    (r"(.+)\.layers\.(?:json|toml)", (("{0}.npz", "{0}.pkl"),)),
)
_SHARDS = r"(.+)\.(?:meta|index|data-\d+-of-\d+)"  # a checkpoint's: all of them are wanted


def gathered(path: Path) -> dict[str, Path]:
    """`path` and what belongs to it, each under its name from `path`'s folder on. Raises UserError as `companions`."""
    return {each.relative_to(path.parent).as_posix(): each for each in (path, *companions(path))}


def companions(path: Path) -> list[Path]:
    """What belongs to `path` and is there. Raises UserError where several files could be meant."""
    found = dict.fromkeys(_certain(path))
    for expression, wanted in _WANTED:
        match = re.fullmatch(expression, path.name)
        if match:
            found.update(dict.fromkeys(each for patterns in wanted for each in _one(path, match.groups(), patterns)))
            break
    else:
        found.update(dict.fromkeys(data_files(path)))
    return [each for each in found if each != path]


def _certain(path: Path) -> Iterator[Path]:
    for pattern in (*ALWAYS, *_ONNX_DATA):
        beside = path.parent / pattern.format(name=path.name, stem=path.stem)
        if beside.is_file():
            yield beside
    if path.name == "__model__" and not _one(path, (), _COMBINED):  # Paddle 1: a file for each of the weights
        yield from _glob(path, "*")
    shards = re.fullmatch(_SHARDS, path.name)
    if shards:
        yield from (each for each in _glob(path, f"{_literal(shards[1])}.data-*") if each.is_file())


def _one(path: Path, groups: tuple[str, ...], patterns: tuple[str, ...]) -> list[Path]:
    """The one file that the first matching pattern means; none where nothing matches."""
    for pattern in patterns:
        matches = _glob(path, pattern.format(*map(_literal, groups)))
        if len(matches) > 1:
            stem = groups[0] if groups else path.stem
            related = [each for each in matches if each.stem.startswith(stem) or stem.startswith(each.stem)]
            matches = related or matches
        if len(matches) > 1:
            raise UserError(
                f"{path.name} could belong to several files: {', '.join(each.name for each in matches[:8])}",
                hint="name the one that is meant instead, or put the files that belong together into a folder",
            )
        if matches:
            return matches
    return []


def _glob(path: Path, pattern: str) -> list[Path]:
    return sorted(each for each in path.parent.glob(pattern) if each.is_file() and each.name != path.name)


def _literal(text: str) -> str:
    """As a pattern that matches just this text."""
    return re.sub(r"([\[*?])", r"[\1]", text)
