"""An IR folder as one ONNX file of the user's choice, and what belongs to it beside that file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from dlpipe.errors import UserError
from dlpipe.ir.contract import Contract
from dlpipe.pipeline.store import Store, hash_file
from dlpipe.pipeline.store.disk import temporary, writing

MODEL = "model.onnx"
CONTRACT = "contract.json"
WEIGHTS = "model.onnx.data"  # of a large model, which refers to them by this name, and by model.onnx.data.2 ...


def check_place(out: Path) -> None:
    """Before any work is done. Raises UserError where the model could not be written, or would take the place of a
    device or a pipe."""
    if not out.parent.is_dir():
        raise UserError(
            f"there is no folder {out.parent} to write {out.name} to", hint=f"make it: mkdir -p {out.parent}"
        )
    if out.exists() and not out.is_file():
        kind = "a folder" if out.is_dir() else "no plain file"
        raise UserError(f"{out} is {kind}, and the model is written as a file", hint="e.g. -o model.onnx")
    if out.name.startswith(WEIGHTS):
        raise UserError(f"{out.name} is what the weights of a large model are called", hint="e.g. -o model.onnx")
    try:
        with temporary(out.parent) as tried:
            tried.touch()
    except OSError as error:
        raise UserError(f"{out.parent} cannot be written to: {error.strerror}", hint="choose another folder") from error


def check_onnx_place(out: Path) -> None:
    """check_place, and the name must not promise another format than ONNX."""
    check_place(out)
    if out.suffix != ".onnx":
        raise UserError(f"{out.name}: what is written is an ONNX file", hint=f"-o {out.with_suffix('.onnx')}")


def beside(out: Path, name: str) -> Path:
    """Where the file `name` of an IR folder goes when its model is written as `out`: named after it, so that the models
    of one folder do not take each other's. Beside `model.onnx` all names are those of the IR folder."""
    if name == MODEL:
        return out
    first, *inside = PurePosixPath(name).parts
    kept = name.startswith(WEIGHTS) or out.name == MODEL
    return out.with_name(first if kept else f"{out.stem}.{first}").joinpath(*inside)


def write_ir(store: Store, tree: str, out: Path, texts: Mapping[str, str] | None = None) -> Contract:
    """The model of the IR folder `tree` as `out`, everything that it needs, and the `texts` (name -> content) that go
    beside it; all of them, or none where the disk fails. Returns the contract as written.

    Raises UserError, before anything is written, where another model's weights lie in the place of this one's.
    """
    files = store.tree(tree).files
    for file in files:
        place = beside(out, file.name)
        other = file.name.startswith(WEIGHTS) and place.exists()
        if other and not (place.is_file() and hash_file(place) == file.sha256):
            raise UserError(
                f"{place} holds the weights of another model, and this one's must be called so too",
                hint="choose another folder: -o FOLDER/NAME.onnx",
            )
    contract = json.loads(store.read(tree, CONTRACT))
    for part in (each for each in contract["preprocessing"] if "file" in each):
        part["file"] = beside(out, part["file"]).name
    written = json.dumps(contract, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    with ExitStack() as until_all_are_there, writing(out, "the output folder"):
        places: list[tuple[Path, Path]] = []

        def fresh(name: str) -> Path:
            place = beside(out, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            places.append((until_all_are_there.enter_context(temporary(place.parent)), place))
            return places[-1][0]

        for name in (file.name for file in files if file.name != CONTRACT):
            store.export_file(tree, name, fresh(name))
        for name, text in {CONTRACT: written, **(texts or {})}.items():
            fresh(name).write_text(text, encoding="utf-8")
        for made, place in sorted(places, key=lambda each: each[1] == out):
            made.replace(place)
    return Contract.model_validate(contract)
