"""`dlpipe frontend`: the frameworks that models come from."""

from __future__ import annotations

import typer

from dlpipe.cli import options as opt

frontend = typer.Typer(help="The frameworks that models come from.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(frontend, name="frontend")


@frontend.command("list")
def list_(as_json: opt.AsJson = False) -> None:
    """List the frontends and the formats they take."""
    from dlpipe.cli.output import print_json, print_table
    from dlpipe.frontends.registry import frontends

    rows = [
        {"name": name, "formats": list(found.formats), "toolchain": found.toolchain}
        for name, found in frontends().items()
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("name", "toolchain", "formats"), [(r["name"], r["toolchain"], ", ".join(r["formats"])) for r in rows]
        )


@frontend.command()
def show(name: str, as_json: opt.AsJson = False) -> None:
    """Show one frontend: formats, and the locked versions of its tools."""
    from dlpipe.cli.output import print_json, print_table
    from dlpipe.frontends.registry import find_frontend
    from dlpipe.toolchains.manager import Toolchains

    found = find_frontend(name)
    versions = Toolchains().locked_versions(found.toolchain)
    if as_json:
        print_json({"name": name, "formats": list(found.formats), "toolchain": found.toolchain, "versions": versions})
    else:
        print_table(("", ""), [("formats", ", ".join(found.formats)), ("toolchain", found.toolchain)])
        print_table(("package", "version"), sorted(versions.items()))
