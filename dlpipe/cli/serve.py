"""`dlpipe serve` and `dlpipe worker`: the compile service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlpipe.cli.options import Executor

Lease = Annotated[
    float, typer.Option("--lease", min=1, help="Seconds until a worker that is not heard of counts as dead.")
]

LogFormat = Annotated[str, typer.Option("--log-format", metavar="text|json", help="json: an object on each line.")]


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 7070,
    workers: Annotated[int, typer.Option(min=0, help="Worker processes to start; 0: they run elsewhere.")] = 1,
    max_upload: Annotated[str, typer.Option(help="The largest file that is taken.")] = "4GB",
    lease: Lease = 30.0,
    keep_days: Annotated[
        float | None, typer.Option(min=0, help="Remove jobs that ended, and files no job needs, after so long.")
    ] = None,
    drain: Annotated[
        float, typer.Option(min=0, help="Seconds from SIGTERM, with /readyz refusing, to the end of listening.")
    ] = 0,
    executor: Executor = "local",
    log_format: LogFormat = "text",
    rate: Annotated[
        float, typer.Option(min=1, help="Requests a second of one token, four times as many at once.")
    ] = 500,
    failures: Annotated[float, typer.Option(min=1, help="Wrong tokens a minute from one address.")] = 30,
    max_connections: Annotated[int, typer.Option(min=2, help="Open at the same time.")] = 1000,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="A name that it answers to; repeatable. By default any.")
    ] = None,
    behind_proxy: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Of a proxy that tells where requests come from, and if by TLS."),
    ] = None,
    oidc_issuer: Annotated[
        str | None, typer.Option(metavar="URL", help="Of an OpenID Connect provider, to sign in by.")
    ] = None,
    oidc_client_id: Annotated[str | None, typer.Option(help="What it calls this service.")] = None,
    oidc_secret_file: Annotated[
        Path | None, typer.Option(help="Holds the client's secret; or DLPIPE_OIDC_SECRET does.")
    ] = None,
    oidc_rules: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML: who of its accounts, and which CI jobs, may what.")
    ] = None,
    public_url: Annotated[str | None, typer.Option(metavar="URL", help="This service's, as browsers know it.")] = None,
    allow_unjailed: Annotated[
        bool, typer.Option("--allow-unjailed", help="Start where the jail keeps nothing from network and files.")
    ] = False,
) -> int:
    """Take models from teams, convert and measure them, and keep what comes out.

    \b
    Examples:
      export DLPIPE_TOKEN=$(openssl rand -hex 32); dlpipe serve
      dlpipe serve --host 0.0.0.0 --port 7070 --workers 4
    \b
    Its data lie in DLPIPE_DATA_DIR; DLPIPE_DATABASE names a PostgreSQL database
    in place of the SQLite file there, DLPIPE_STORE_URL a bucket for machines that
    share no folder. DLPIPE_TOKEN becomes the first
    administrator's token on the first start.
    """
    import importlib.util
    import os

    from dlpipe.errors import ToolMissing, how_to_add

    if importlib.util.find_spec("fastapi") is None or importlib.util.find_spec("uvicorn") is None:
        raise ToolMissing("what the service is made of is not installed", hint=how_to_add("service"))
    from dlpipe.cli.service import checked_log_format, parse_size
    from dlpipe.service.api.gate import Manners
    from dlpipe.service.loglines import log_to_stderr
    from dlpipe.service.oidc.settings import oidc_of
    from dlpipe.service.places import Places
    from dlpipe.service.server import serve as run

    largest = parse_size(max_upload, "--max-upload")
    kind = checked_log_format(log_format)
    log_to_stderr(kind)
    run(
        Places.of_environment(),
        host=host,
        port=port,
        token=os.environ.get("DLPIPE_TOKEN"),
        workers=workers,
        max_upload=largest,
        lease_seconds=lease,
        executor=executor,
        unjailed=allow_unjailed,
        keep_days=keep_days,
        drain_seconds=drain,
        log_format=kind,
        manners=Manners(
            frozenset(name.lower() for name in allowed_host or ()), rate, failures, max(1, max_connections // 4)
        ),
        proxy=behind_proxy,
        oidc=oidc_of(
            oidc_rules,
            issuer=oidc_issuer,
            client=oidc_client_id,
            secret_file=oidc_secret_file,
            secret=os.environ.get("DLPIPE_OIDC_SECRET"),
            public=public_url,
        ),
        max_connections=max_connections,
    )
    return 0
