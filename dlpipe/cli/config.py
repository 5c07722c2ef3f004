"""`--config dlpipe.toml`: a command's options from a file, a table for each command; flags override them."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlpipe.contracts.toml import read_toml
from dlpipe.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

# `plan` says what `convert` would do, so it reads the same table; what it has not (`yes`) it leaves. `submit` has it
# done by a service.
TABLES = {"convert": "convert", "plan": "convert", "submit": "convert", "compress": "compress", "gate": "gate"}
# What says how this machine converts, which `submit` leaves. `out` is none of a service's business, and there only
# goes with --wait.
_OF_THIS_MACHINE = frozenset({"out", "jobs", "executor", "offline", "dry-run", "yes", "verbose"})


def key_of(parameter: Any) -> str:
    """What a parameter is called in the file: the long form of the option without dashes, or the argument's name."""
    names = [each.removeprefix("--") for each in parameter.opts if each.startswith("--")]
    return names[0] if names else str(parameter.name)


def takes_several(parameter: Any) -> bool:
    """Whether it may be given more than once, so that the file may hold a list."""
    return bool(getattr(parameter, "multiple", False)) or parameter.nargs == -1


def is_switch(parameter: Any) -> bool:
    return bool(getattr(parameter, "is_flag", False))


def commands_of(context: typer.Context) -> dict[str, Any]:
    """All commands by name, whichever of them runs."""
    return dict(getattr(context.find_root().command, "commands"))  # noqa: B009 - typer types it as any command


def keys_of(command: Any) -> dict[str, Any]:
    """What the table of a command may hold: all its parameters but `--config` and `--help`."""
    return {key_of(each): each for each in command.params if key_of(each) not in ("config", "help")}


def _load(context: typer.Context, path: Path | None) -> Path | None:
    if path is None or context.resilient_parsing:
        return path
    table = TABLES[context.info_name or ""]
    known = keys_of(commands_of(context)[table])
    mine = keys_of(context.command)
    values = _table(path, table)
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            raise UserError(
                f"{path}: [{table}] has no setting {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
                hint=f"`dlpipe init` writes a file with all of them, `dlpipe {table} --help` explains them",
            )
    if context.info_name == "submit":
        values = _for_a_service(path, values, mine)
    context.default_map = {
        mine[key].name: _value(f"{path}: {key}", value, mine[key]) for key, value in values.items() if key in mine
    }
    return path


def _for_a_service(path: Path, values: Mapping[str, Any], mine: Mapping[str, Any]) -> dict[str, Any]:
    """What a service may be asked (`service/asked.py`): what else there is would be left out in silence, and the result
    another one. A model is one: a list of more is several jobs. Raises UserError."""
    asked = {key: value for key, value in values.items() if key not in _OF_THIS_MACHINE}
    for key, value in asked.items():
        if key not in mine and value is not False:
            raise UserError(
                f"{path}: {key!r} is not taken by a service: it runs no code of yours",
                hint="leave it out, or convert on a machine of your own: dlpipe convert",
            )
    models = asked.get("model")
    if isinstance(models, list):
        if len(models) != 1:
            raise UserError(f"{path}: model: a job converts one model, here are {len(models)}")
        asked["model"] = models[0]
    return asked


def _table(path: Path, name: str) -> Mapping[str, Any]:
    try:
        found = read_toml(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", hint="`dlpipe init` writes a file to begin with") from None
    except ValueError as error:
        raise UserError(f"{path}: not a TOML file: {error}") from None
    for each, table in found.items():
        if each not in TABLES.values() or not isinstance(table, dict):
            tables = ", ".join(f"[{known}]" for known in sorted(set(TABLES.values())))
            raise UserError(f"{path}: {each!r} is not one of the tables {tables}")
    table = found.get(name, {})
    assert isinstance(table, dict)  # checked above
    return table


def _value(where: str, value: Any, parameter: Any) -> object:
    """As if it had been typed: texts, which the parser reads, and lists of them; only switches are bool."""
    if takes_several(parameter):
        return [_text(where, each) for each in (value if isinstance(value, list) else [value])]
    if is_switch(parameter):
        if not isinstance(value, bool):
            raise UserError(f"{where}: expected true or false")
        return value
    return _text(where, value)


def _text(where: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise UserError(f"{where}: expected a text or a number, or a list of them where the option may be repeated")
    return str(value)


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        is_eager=True,
        callback=_load,
        metavar="FILE",
        help="Settings from a file, as `dlpipe init` writes it; flags override them.",
    ),
]
