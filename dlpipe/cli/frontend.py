"""`dlpipe frontend`: the frameworks that models come from."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dlpipe.cli import options as opt

_MOST_NAMES = 60

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
def show(
    name: str,
    zoo: Annotated[bool, typer.Option(help="Also convert the zoo's models of this framework.")] = True,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
) -> None:
    """Show one frontend: versions, the operators it covers, and how the zoo's models come through it.

    Nothing of this is written down anywhere: the running converter is asked, so its toolchain is installed if need be.

    \b
    Example:
      dlpipe frontend show caffe
    """
    from dlpipe.cli.output import print_json, print_table
    from dlpipe.cli.progress import Progress
    from dlpipe.frontends.registry import find_frontend
    from dlpipe.pipeline.coverage import operators, zoo_results
    from dlpipe.pipeline.session import Session

    found = find_frontend(name)
    with (
        Progress(quiet=as_json, verbose=verbose) as progress,
        Session(offline=offline, listeners=[progress]) as session,
    ):
        versions = session.toolchains.locked_versions(found.toolchain)
        covered = operators(session, found)
        results = zoo_results(session, found) if zoo else []
    if as_json:
        shown = {"name": name, "formats": list(found.formats), "toolchain": found.toolchain, "versions": versions}
        print_json({**shown, "operators": covered, "zoo": results})
        return
    print_table(("", ""), [("formats", ", ".join(found.formats)), ("toolchain", found.toolchain)])
    if covered:
        print_table(("operators", ""), _operator_rows(covered))
    if results:
        print_table(("zoo", "reference", "result"), [_zoo_row(each) for each in results])
    print_table(("package", "version"), sorted(versions.items()))


def _operator_rows(covered: dict[str, Any]) -> list[tuple[str, str]]:
    """One row for each degree of support; what is partly covered says what is missing."""
    partial = (f"{name} ({note})" if note else name for name, note in covered["partial"].items())
    return [
        ("list", covered["source"]),
        (f"covered: {len(covered['full'])}", ", ".join(covered["full"])),
        (f"partly: {len(covered['partial'])}", ", ".join(partial)),
        (f"not: {len(covered['none'])}", _some(list(covered["none"]))),
    ]


def _some(names: list[str]) -> str:
    """A framework has a thousand operators that no model holds."""
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" ... and {more} more (--json lists them)" if more > 0 else "")


def _zoo_row(result: dict[str, Any]) -> tuple[str, str, str]:
    if not result["converted"]:
        return result["model"], "-", result["reason"]
    near = "equal" if result["max_rel"] is None else f"within {result['max_rel']:.2g} of the range"
    return result["model"], f"{result['reference']} ({result['kind']})", near
