"""What an artefact that is handed to a user gets beside the backend's files. Worker side, in the toolchain `core`."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .header import header
from .preprocess import Picture, Unfit

_HERE = Path(__file__).parent


def attach(folder: Path, contract: Mapping[str, Any]) -> None:
    """folder: the artefact, contract.json in it. Writes preprocess.py, preprocess.h, postprocess.py and example.py, as
    far as what they do is known, and README.md, which says what is not."""
    parts = contract["preprocessing"]
    how = next((each for each in parts if each["kind"] == "picture"), None)
    description = _described(folder)
    feeding = [_cut_off(folder, each) for each in parts if each["kind"] != "picture"]
    if how is not None:
        feeding += _feeding(folder, Picture.of_contract(contract, how["input"], how["steps"]), how["summary"])
    reading = _reading(folder, contract)
    if (folder / "preprocess.py").is_file() and ((folder / "run.py").is_file() or "command" in description):
        _ship(folder, "example.py")
        reading.append("`python example.py FILE` does all of it, from the file to the answer.")
    text = _README.format(
        title=f"{description.get('backend', 'a backend')}, {description.get('variant', '')}".rstrip(", "),
        target=description.get("target", "its target"),
        runtime=" ".join(description.get("runtime", {}).values()) or "see run.json",
        calling=_calling(folder, description.get("command", ())),
        feeding="\n\n".join(feeding or [_UNKNOWN_FEEDING]),
        reading="\n\n".join(reading),
    )
    (folder / "README.md").write_text("\n".join(map(_wrapped, text.splitlines())) + "\n", encoding="utf-8")


def _wrapped(line: str) -> str:
    if line.startswith("#"):
        return line
    later = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, 80, subsequent_indent=later, break_long_words=False, break_on_hyphens=False)


_README = """# A model for {target}, by {title}

Runtime: {runtime}. Its licences are in `LICENSES/`. `run.json` and `contract.json` say what the model takes and gives.

## Calling it

{calling}

## What it is fed

{feeding}

## What it answers

{reading}
"""

_UNKNOWN_FEEDING = (
    "Nothing is known of how its inputs are prepared: neither the model nor its files say it, so there is no code for "
    "it here. For pictures, `--preprocess` of dlpipe says it."
)
_UNKNOWN_READING = (
    "Nothing is known of what its numbers mean (there are no labels, and no softmax at the end), so there is no code "
    "for it here. The names of classes are given to dlpipe with `--labels FILE`."
)
_SCORES = {
    "logits": "scores, of which a softmax makes probabilities",
    "probabilities": "probabilities",
    "independent": "a probability for each class by itself",
    "log-probabilities": "logarithms of probabilities",
}


def _described(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _calling(folder: Path, command: Sequence[str]) -> str:
    if command:
        return f"`{' '.join(command)}` reads and writes folders of .npy files, whose names are in `run.json`."
    found = (path.name for path in folder.iterdir() if path.stem in ("run", "example") and path.suffix != ".json")
    programs = sorted(name for name in found if name != "example.py")  # that one begins with the picture
    if not programs:
        return "See `run.json`."
    said = "says at its top what it needs" if len(programs) == 1 else "say at their tops what they need"
    return f"{' and '.join(f'`{name}`' for name in programs)} {said}."


def _cut_off(folder: Path, part: Mapping[str, Any]) -> str:
    told = f"The original begins with {part['accepts']} data; {_plain(part['summary'])} ({_code(part['file'])})."
    program = _HERE / f"preprocess_{part['frontend']}.py"
    if not program.is_file():  # of a frontend that another package brings
        return f"{told} There is no program for it here."
    shutil.copyfile(program, folder / "preprocess.py")
    return f"{told} `python preprocess.py FILE inputs.npz` executes that."


def _feeding(folder: Path, how: Picture, summary: str) -> list[str]:
    _ship(folder, "preprocess.py")
    told = [f"Input {_code(how.port['name'])}: {_plain(summary)}. `python preprocess.py photo.jpg inputs.npz` does it."]
    try:
        text = header(how)
    except Unfit as error:
        return [*told, f"There is no preprocess.h: {_plain(str(error))}."]
    (folder / "preprocess.h").write_text(text, encoding="utf-8")
    return [*told, "`preprocess.h` does the same in C and C++, to the same bits, with pictures that are decoded."]


def _reading(folder: Path, contract: Mapping[str, Any]) -> list[str]:
    scores = contract["metadata"].get("scores")
    if not scores:
        return [_UNKNOWN_READING]
    _ship(folder, "postprocess.py")
    said = [f"- {_code(name)}: {_SCORES[kind]}" for name, kind in scores.items()]
    if contract["labels"]:
        said.append(f"- contract.json has names of {len(contract['labels'])} classes")
    how = "`postprocess.py` makes the best classes of them"
    if (folder / "run.py").is_file():
        how += ": `python run.py inputs.npz outputs.npz`, then `python postprocess.py outputs.npz`"
    return ["\n".join(said), f"{how}."]


def _code(raw: str) -> str:
    """A name that a model gave, so that it writes nothing else into the README: no heading, no command to copy."""
    shown = _plain(raw).replace("`", "'")
    return f"`{shown}`"


def _plain(raw: str) -> str:
    return "".join(each if each.isprintable() else "\ufffd" for each in raw)


def _ship(folder: Path, name: str) -> None:
    shutil.copyfile(_HERE / name, folder / name)
