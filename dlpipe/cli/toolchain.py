"""`dlpipe toolchain`: the isolated environments of the tools."""

from __future__ import annotations

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
    from dlpipe.cli.output import human_size, print_json, print_table
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
            "summary": spec.summary,
        }
        for name in tools.names()
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("name", "installed", "size", "what it is"),
        [(r["name"], "yes" if r["installed"] else "no", human_size(r["size_bytes"]), r["summary"]) for r in rows],
    )


@toolchain.command()
def install(names: Names = None, offline: opt.Offline = False) -> None:
    """Install toolchains ahead of their first use, say into a CI image.

    \b
    Example:
      dlpipe toolchain install core tensorflow
    """
    from dlpipe.toolchains.manager import Toolchains

    tools = Toolchains(offline=offline, on_event=lambda line: typer.echo(line, err=True))
    for name in names or tools.names():
        environment = tools.ensure(name)
        typer.echo(f"{name}: {environment.root}")


@toolchain.command()
def doctor(names: Names = None, as_json: opt.AsJson = False) -> int:
    """Check that what is installed is whole. Exit code 4 when something is not."""
    from dataclasses import asdict

    from dlpipe.cli.output import print_json
    from dlpipe.toolchains.doctor import diagnose
    from dlpipe.toolchains.manager import Toolchains

    found = diagnose(Toolchains(), names or ())
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        for each in found:
            typer.echo(f"{each.state:<7} {each.name}")
            for problem in each.problems:
                typer.echo(f"        {problem}")
    return 4 if any(each.state == "broken" for each in found) else 0


@toolchain.command()
def gc() -> None:
    """Remove environments of older locks, and what killed installations left."""
    from dlpipe.cli.output import human_size
    from dlpipe.toolchains.manager import Toolchains

    collected = Toolchains().gc()
    typer.echo(f"freed {human_size(collected.freed)}: {', '.join(collected.removed) or 'nothing to remove'}")
