"""`dlpipe toolchain`: the isolated environments of the tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from dlpipe.cli import options as opt

toolchain = typer.Typer(help="The locked, isolated environments that the tools run in.", no_args_is_help=True)
Names = Annotated[list[str] | None, typer.Argument(help="Which ones; default: all.")]


def register(app: typer.Typer) -> None:
    app.add_typer(toolchain, name="toolchain")


@toolchain.command("list")
def list_(as_json: opt.AsJson = False) -> None:
    """List the toolchains, and which are installed."""
    from dlpipe.cli.output import human_size, print_groups, print_json
    from dlpipe.toolchains.manager import Toolchains

    tools = Toolchains()
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "kind": (spec := tools.spec(name)).kind,
            "installed": (environment := tools.find(name)) is not None,
            "digest": tools.digest(name),
            "size_bytes": spec.size_mb * 1_000_000 if spec.size_mb else None,
            "path": str(environment.root) if environment else None,
            "licence": spec.licence,
            "proprietary": spec.proprietary,
            "accepted": tools.licences.accepted(spec),
            "summary": spec.summary,
        }
        for name in tools.names()
    ]
    if as_json:
        print_json(rows)
        return
    groups: dict[str, list[tuple[str, ...]]] = {}
    for row in sorted(rows, key=lambda row: list(_GROUPS).index(_state(row))):
        group = groups.setdefault(_GROUPS[_state(row)], [])
        group.append((row["name"], human_size(row["size_bytes"]).rjust(8), row["summary"]))
    print_groups(groups)


_GROUPS = {
    "installed": "installed",
    "missing": "not installed: each is when it is first needed",
    "waiting": "not installed, under a proprietary licence: only on your word (--accept-licence)",
}


def _state(row: Mapping[str, Any]) -> str:
    if row["installed"]:
        return "installed"
    return "waiting" if row["proprietary"] and not row["accepted"] else "missing"


@toolchain.command()
def install(
    names: Names = None,
    offline: opt.Offline = False,
    accept_licence: Annotated[
        bool,
        typer.Option(
            "--accept-licence",
            help="You have read the proprietary licences of the toolchains that you name, and accept them. Remembered.",
        ),
    ] = False,
) -> None:
    """Install toolchains ahead of their first use, say into a CI image.

    Those under a proprietary licence are installed only on your word: --accept-licence, or their names (or `all`) in
    DLPIPE_ACCEPT_LICENCES. Without names the others are installed, and it is said which ones were not.

    \b
    Examples:
      dlpipe toolchain install core tensorflow
      dlpipe toolchain install qnn --accept-licence
    """
    from dlpipe.errors import UserError
    from dlpipe.toolchains.licences import terms
    from dlpipe.toolchains.manager import Toolchains

    if accept_licence and not names:
        raise UserError("--accept-licence is for toolchains that you name", hint="dlpipe toolchain list")
    tools = Toolchains(offline=offline, on_event=lambda line: typer.echo(line, err=True))
    for name in names or tools.names():
        waiting = tools.unaccepted(name)
        if waiting is not None and accept_licence:
            tools.licences.accept(waiting)
            typer.echo(f"{name}: you accepted it: it is {terms(waiting)}", err=True)
        elif waiting is not None and not names:
            typer.echo(f"not installed: {tools.licences.refusal(waiting).message}", err=True)
            continue
        environment = tools.ensure(name)
        typer.echo(f"{name}: {environment.root}")


@toolchain.command()
def doctor(names: Names = None, as_json: opt.AsJson = False) -> int:
    """Check that what is installed is whole and can be imported. Exit code 4 when something is not."""
    from dataclasses import asdict

    from dlpipe.cli.output import print_json
    from dlpipe.toolchains.doctor import diagnose
    from dlpipe.toolchains.manager import Toolchains

    found = []
    for each in diagnose(Toolchains(), names or (), thorough=True):
        found.append(each)
        if not as_json:
            typer.echo(f"{each.state:<7} {each.name}")
            for problem in each.problems:
                typer.echo(f"        {problem}")
    if as_json:
        print_json([asdict(each) for each in found])
    return 4 if any(each.state == "broken" for each in found) else 0


@toolchain.command()
def gc() -> None:
    """Remove environments of older locks, and what killed installations left."""
    from dlpipe.cli.output import human_size
    from dlpipe.toolchains.manager import Toolchains

    collected = Toolchains().gc()
    typer.echo(f"freed {human_size(collected.freed)}: {', '.join(collected.removed) or 'nothing to remove'}")
