"""`dlpipe init`: a commented dlpipe.toml to begin with."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Annotated, Any

import typer

from dlpipe.cli.config import TABLES, commands_of, is_switch, keys_of, takes_several
from dlpipe.errors import UserError

_HEAD = """\
# Settings of dlpipe's commands, a table for each:
#   dlpipe convert --config dlpipe.toml
# What is commented out is not set. Flags on the command line override what
# stands here; paths are read as on the command line.
"""


def register(app: typer.Typer) -> None:
    app.command("init")(init)


def init(
    context: typer.Context,
    model: Annotated[
        list[str] | None, typer.Argument(help="What [convert] converts: files or folders, zoo:NAME, framework:PATH.")
    ] = None,
    target: Annotated[list[str] | None, typer.Option("--target", "-t", help="Where it shall run.")] = None,
    data: Annotated[str | None, typer.Option(help="Labelled data, as `convert --data` takes it.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = Path("dlpipe.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace the file where there is one.")] = False,
) -> None:
    """Write a commented dlpipe.toml with every setting of convert, compress and gate.

    \b
    Examples:
      dlpipe init model.pb --target arm64 --data clips/
      dlpipe convert --config dlpipe.toml
    """
    from dlpipe.targets.registry import target as find_target

    for name in target or ():
        find_target(name)  # which raises for one that there is not
    given = {"model": model, "target": target, "data": data}
    commands = commands_of(context)
    parts = [_HEAD]
    for table in dict.fromkeys(TABLES.values()):
        filled = {key: value for key, value in given.items() if value} if table == "convert" else {}
        parts += [f"\n[{table}]\n", *(_setting(key, each, filled) for key, each in keys_of(commands[table]).items())]
    try:
        with out.open("w" if force else "x", encoding="utf-8") as file:
            file.write("".join(parts))
    except FileExistsError:
        raise UserError(f"{out} is there already", hint="--force replaces it, --out names another") from None
    except OSError as error:
        raise UserError(f"{out}: {error.strerror}") from None
    typer.echo(f"wrote {out}; next: dlpipe convert --config {out}")


def _setting(key: str, parameter: Any, filled: dict[str, Any]) -> str:
    """One option: its help as a comment, and a line to fill in."""
    lines = textwrap.wrap(parameter.help or "", 78, initial_indent="# ", subsequent_indent="# ")
    default = parameter.default if isinstance(parameter.default, (str, bool)) else None
    value = filled.get(key, [] if takes_several(parameter) else False if is_switch(parameter) else default or "")
    line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
    return "\n".join([*lines, line if key in filled else f"#{line}", ""])
