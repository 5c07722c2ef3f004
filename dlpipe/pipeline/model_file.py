"""An IR folder as one ONNX file of the user's choice, and what belongs to it beside that file."""

from __future__ import annotations

import json
from pathlib import Path

from dlpipe.errors import UserError
from dlpipe.ir.contract import Contract
from dlpipe.pipeline.store import Store, hash_file
from dlpipe.pipeline.store.disk import temporary, writing

MODEL = "model.onnx"
CONTRACT = "contract.json"
WEIGHTS = "model.onnx.data"  # of a large model, which refers to them by this name


def check_place(out: Path) -> None:
    """Before any work is done. Raises UserError where the model could not be written."""
    if out.is_dir() or not out.parent.is_dir():
        raise UserError(f"{out} is not a file in a folder that exists", hint="e.g. -o model.onnx")
    if out.name == WEIGHTS:
        raise UserError(f"{WEIGHTS} is what the weights of a large model are called", hint="e.g. -o model.onnx")


def beside(out: Path, name: str) -> Path:
    """Where the file `name` of an IR folder goes when its model is written as `out`: named after it, so that the models
    of one folder do not take each other's. Beside `model.onnx` all names are those of the IR folder."""
    if name == MODEL:
        return out
    return out.with_name(name if name == WEIGHTS or out.name == MODEL else f"{out.stem}.{name}")


def write_ir(store: Store, tree: str, out: Path) -> Contract:
    """The model of the IR folder `tree` as `out`, after everything that it needs. Returns the contract as written.

    Raises UserError, before anything is written, where another model's weights lie in the place of this one's.
    """
    files = store.tree(tree).files
    for file in files:
        place = beside(out, file.name)
        if file.name == WEIGHTS and place.exists() and not (place.is_file() and hash_file(place) == file.sha256):
            raise UserError(
                f"{place} holds the weights of another model, and this one's must be called so too",
                hint="choose another folder: -o FOLDER/NAME.onnx",
            )
    contract = json.loads(store.read(tree, CONTRACT))
    for part in contract["preprocessing"]:
        part["file"] = beside(out, part["file"]).name
    for file in files:
        if file.name not in (MODEL, CONTRACT):
            store.export_file(tree, file.name, beside(out, file.name))
    _write_json(beside(out, CONTRACT), contract)
    store.export_file(tree, MODEL, out)
    return Contract.model_validate(contract)


def _write_json(place: Path, value: object) -> None:
    """Whole or not at all."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    with writing(place, "the output folder"), temporary(place.parent) as fresh:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(place)
