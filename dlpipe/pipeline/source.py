"""The model as the user gives it: found, with what belongs to it, and taken into the store."""

from __future__ import annotations

import hashlib
import itertools
import os
from dataclasses import dataclass
from pathlib import Path

from dlpipe.errors import BadModel, UserError
from dlpipe.pipeline.companions import gathered
from dlpipe.pipeline.store import Store
from dlpipe.pipeline.usercode import find_code
from dlpipe.pipeline.zoo import find_zoo_model

INSIDE = ("saved_model.pb", "graph.nnef")  # the folder is the model: what it needs lies beside these
MANY_FILES = 10_000  # more than any model's folder holds


@dataclass(frozen=True, slots=True)
class Source:
    path: Path
    entry: str  # the main file within the tree, "." when the folder itself is the model
    tree: str  # digest in the store
    sha256: str  # of the file; of a folder, its tree's digest
    size_bytes: int
    framework: str | None = None  # forced by the user with `framework:PATH`
    factory: str | None = None  # `module:function` of the user's code that was taken along


def take(store: Store, spec: str, frameworks: tuple[str, ...], factory: str | None = None) -> Source:
    """factory: see `find_code`; the code is taken along. Raises UserError for what is not there or cannot be read."""
    path, framework = locate(spec, frameworks)
    if path.name in INSIDE:
        path = path.resolve().parent
    factory, code = find_code(factory, path) if factory else (None, {})
    if path.is_dir():
        _refuse_heap(path)
        tree = store.ingest_files({each.name: each for each in path.iterdir()} | code) if code else store.ingest(path)
        return Source(path, ".", tree.digest, tree.digest, sum(file.size for file in tree.files), framework, factory)
    if not path.is_file():
        raise BadModel(f"{path} is neither a file nor a folder")
    tree = store.ingest_files(gathered(path) | code)
    main = next(file for file in tree.files if file.name == path.name)
    return Source(path, path.name, tree.digest, main.sha256, main.size, framework, factory)


def _refuse_heap(folder: Path) -> None:
    """A home folder named by mistake would be copied into the cache before anyone looks at it."""
    files = itertools.chain.from_iterable(names for _, _, names in os.walk(folder))
    if next(itertools.islice(files, MANY_FILES, None), None) is not None:
        raise BadModel(f"{folder} holds more than {MANY_FILES:,} files", hint="name the folder of the model itself")


def locate(spec: str, frameworks: tuple[str, ...]) -> tuple[Path, str | None]:
    """A path, `zoo:NAME`, or `framework:PATH`."""
    prefix, colon, rest = spec.partition(":")
    if colon and prefix == "zoo":
        return find_zoo_model(rest).model, None
    if not spec:
        raise UserError("the model's path is empty")
    if "\udc80" <= max(spec) <= "\udcff":  # how Python shows bytes that are no UTF-8
        raise UserError(f"the model's path is not UTF-8: {os.fsencode(spec)!r}", hint="rename it, or link to it")
    framework = prefix if colon and prefix in frameworks else None
    path = Path(rest if framework else spec).expanduser()
    checkpoint = path.with_name(f"{path.name}.meta")  # TensorFlow names a checkpoint by what its files have in common
    if not path.exists() and checkpoint.is_file():
        return checkpoint, framework
    if not path.exists():
        if prefix.isidentifier() and rest and Path(rest).expanduser().exists():
            raise UserError(f"no frontend is called {prefix!r}", hint=f"there are: {', '.join(frameworks)}")
        near = sorted(other.name for other in path.parent.glob("*") if other.suffix == path.suffix)[:5]
        hint = f"in that folder: {', '.join(near)}" if near else "`dlpipe zoo list` names models that come with dlpipe"
        raise UserError(f"there is no {path}", hint=hint)
    return path, framework


def default_out(source: Source) -> Path:
    """`./dlpipe-out/<model>-<short digest>`: the same model gets the same folder."""
    stem = source.path.stem if source.entry != "." else source.path.resolve().name
    short = hashlib.sha256(f"{source.tree}".encode()).hexdigest()[:8]
    return Path("dlpipe-out") / f"{stem}-{short}"
