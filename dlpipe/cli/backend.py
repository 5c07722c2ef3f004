"""`dlpipe backend`: the compilers and runtimes."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from dlpipe.cli import options as opt
from dlpipe.contracts.backend import Target

backend = typer.Typer(help="The compilers and runtimes that make artefacts.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(backend, name="backend")


@backend.command("list")
def list_(as_json: opt.AsJson = False) -> None:
    """List the backends, and the targets that choose them by default."""
    from dlpipe.cli.output import print_json, print_table
    from dlpipe.targets.registry import backends, targets

    rows = [
        {
            "name": name,
            "summary": found.summary,
            "targets": [each.name for each in targets().values() if name in each.backends],
        }
        for name, found in backends().items()
    ]
    if as_json:
        print_json(rows)
    else:
        shown = [(r["name"], r["summary"], _shortened([targets()[each] for each in r["targets"]])) for r in rows]
        print_table(("name", "what it is", "targets"), shown)


def _shortened(found: Sequence[Target]) -> str:
    """One of each family: "arm64 (+6)"."""
    alike: dict[object, list[str]] = {}
    for each in sorted(found, key=lambda each: (each.extends is not None, len(each.name))):
        alike.setdefault((each.kind, each.arch), []).append(each.name)
    return ", ".join(f"{first} (+{len(others)})" if others else first for first, *others in alike.values())


@backend.command()
def show(name: str, as_json: opt.AsJson = False) -> None:
    """Show which precisions a backend makes for each of its targets."""
    from dlpipe.cli.output import print_json, print_table
    from dlpipe.targets.registry import backend as find_backend
    from dlpipe.targets.registry import targets

    found = find_backend(name)
    made = {each.name: list(found.variants(each)) for each in targets().values() if name in each.backends}
    if as_json:
        print_json({"name": name, "summary": found.summary, "variants": made})
    else:
        typer.echo(found.summary)
        print_table(("target", "precisions"), [(key, ", ".join(value)) for key, value in made.items()])
