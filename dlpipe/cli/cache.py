"""`dlpipe cache`: the content-addressed store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dlpipe.cli import options as opt

if TYPE_CHECKING:
    from dlpipe.pipeline.store import Store

cache = typer.Typer(help="The store of finished stages and their outputs.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(cache, name="cache")


@cache.command("ls")
def ls(as_json: opt.AsJson = False) -> None:
    """List the finished stages, newest first."""
    from dlpipe.cli.output import print_json, print_table

    records = sorted(_store().records(), key=lambda record: record.created, reverse=True)
    rows = [
        (r.key[:12], r.created, f"{r.parts.get('worker', 'timing')}:{r.parts.get('operation', '')}", f"{r.seconds:.1f}")
        for r in records
    ]
    if as_json:
        print_json([dict(zip(("key", "created", "operation", "seconds"), row, strict=True)) for row in rows])
    else:
        print_table(("key", "created", "operation", "seconds"), rows)


@cache.command()
def verify(
    repair: Annotated[bool, typer.Option(help="Move what is damaged aside, so that it is made again.")] = False,
    as_json: opt.AsJson = False,
) -> int:
    """Hash everything in the store. Exit code 3 when something is damaged."""
    from dlpipe.cli.output import print_json

    problems = _store().verify(repair=repair)
    if as_json:
        print_json([str(problem) for problem in problems])
    else:
        for problem in problems:
            typer.echo(f"damaged: {problem}")
        typer.echo(f"{len(problems)} damaged" if problems else "the store is whole")
    return 3 if problems else 0


@cache.command()
def gc(
    max_size: Annotated[str, typer.Option(help="Keep at most this much, least recently used go first.")] = "20GB",
    max_age_days: Annotated[float | None, typer.Option(help="Remove what was not used for so long.")] = None,
) -> None:
    """Make room. What a running dlpipe needs is never removed."""
    from dlpipe.cli.output import human_size
    from dlpipe.pipeline.limits import UserLimits

    size = UserLimits.parse(max_size=max_size).max_size
    freed = _store().gc(max_bytes=int(size or 0), max_age=max_age_days * 86400 if max_age_days is not None else None)
    typer.echo(f"freed {human_size(freed)}")


def _store() -> Store:
    from dlpipe.pipeline.store import Store
    from dlpipe.toolchains.manager import default_cache_dir

    return Store(default_cache_dir() / "store")
