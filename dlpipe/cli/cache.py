"""`dlpipe cache`: the content-addressed store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dlpipe.cli import options as opt

if TYPE_CHECKING:
    from dlpipe.pipeline.store import Store
    from dlpipe.pipeline.store.remote.gc import Collected

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
    max_size: Annotated[
        str | None, typer.Option(help="Keep at most this much, least recently used go first. Default here: 20GB.")
    ] = None,
    max_age_days: Annotated[float | None, typer.Option(help="Remove what was not used for so long.")] = None,
    in_bucket: Annotated[
        bool, typer.Option("--shared", help="In the bucket of DLPIPE_STORE_URL, which others use too; not here.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go; with --shared.")] = False,
    as_json: opt.AsJson = False,
) -> None:
    """Make room. What a running dlpipe needs is never removed.

    In a bucket nothing goes that was written or used within a day, and room is
    there a day later: by then, what goes is only moved aside.
    """
    from dataclasses import asdict

    from dlpipe.cli.output import human_size, print_json
    from dlpipe.pipeline.limits import UserLimits
    from dlpipe.report.words import several

    age = max_age_days * 86400 if max_age_days is not None else None
    size = UserLimits.parse(max_size=max_size or (None if in_bucket else "20GB")).max_size
    if not in_bucket:
        if dry_run:
            raise typer.BadParameter("--dry-run needs --shared")
        freed = _store().gc(max_bytes=int(size or 0), max_age=age)
        if as_json:
            print_json({"bytes": freed})
        else:
            typer.echo(f"freed {human_size(freed)}")
        return
    found = _collect_shared(int(size) if size is not None else None, age, dry_run=dry_run)
    if as_json:
        print_json(asdict(found))
        return
    did = ("would drop", "move aside", "free") if dry_run else ("dropped", "moved aside", "freed")
    typer.echo(
        f"{did[0]} {several(found.records, 'record')}, {did[1]} {several(found.objects, 'object')} of "
        f"{human_size(found.bytes)}, {did[2]} {human_size(found.emptied)}"
    )


def _collect_shared(max_bytes: int | None, max_age: float | None, *, dry_run: bool) -> Collected:
    import time

    from dlpipe.errors import UserError
    from dlpipe.pipeline.store.gc import Limits
    from dlpipe.pipeline.store.remote import VARIABLE, Bucket
    from dlpipe.pipeline.store.remote.gc import GRACE_SECONDS, collect

    bucket = Bucket.of_environment()
    if bucket is None:
        raise UserError(f"--shared cleans the bucket that {VARIABLE} names, and it names none")
    if max_bytes is None and max_age is None:
        raise UserError("--shared needs --max-size or --max-age-days: others use that bucket too")
    return collect(bucket, Limits(max_bytes, max_age, GRACE_SECONDS), time.time(), dry_run=dry_run)


def _store() -> Store:
    from dlpipe.pipeline.store import Store
    from dlpipe.toolchains.manager import default_cache_dir

    return Store(default_cache_dir() / "store")
