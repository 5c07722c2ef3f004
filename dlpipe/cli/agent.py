"""`dlpipe agent`: run on a board, so that artefacts are executed and timed there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlpipe.cli import options as opt


def register(app: typer.Typer) -> None:
    app.command("agent")(agent)


def agent(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 is any that is free.")] = 7077,
    name: Annotated[str | None, typer.Option(help="What reports call this board; default: its host name.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="Default: DLPIPE_AGENT_TOKEN; with --server DLPIPE_TOKEN.")
    ] = None,
    server: Annotated[
        str | None, typer.Option(help="A service whose farm this board joins, in place of listening: its address.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="With --server: which target this board is.")] = None,
    python: Annotated[str | None, typer.Option(help="The command that starts Python for artefacts.")] = None,
    site: Annotated[Path | None, typer.Option(help="A folder of Python packages that artefacts need.")] = None,
    space: Annotated[
        float | None,
        typer.Option(help="GiB of artefacts and samples that are kept; default: half of what is free."),
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write the agent as one Python file, for a board without dlpipe, and end.")
    ] = None,
    no_color: opt.NoColor = False,
) -> int:
    """Execute and time artefacts on this board, for whoever has the token.

    The board needs Python 3.7, NumPy and the runtimes of the artefacts (onnxruntime,
    ncnn ...). Requests and answers are signed, and not encrypted: reach a board on a
    network that others listen to through ssh. Whoever has the token runs programs as
    this user: let it be a user of its own.

    \b
    Examples:
      DLPIPE_AGENT_TOKEN=... dlpipe agent --host 0.0.0.0 --name kitchen-pi
      dlpipe agent --export agent.py && scp agent.py pi:
      ssh -L 7077:127.0.0.1:7077 pi 'DLPIPE_AGENT_TOKEN=... python3 agent.py'
    \b
    On the farm of a service (docs/boards.md), with a token of scope board:
      export DLPIPE_TOKEN=...
      dlpipe agent --server https://compile.example --target arm64-cortex-a76
      dlpipe submit model.pb -t arm64-cortex-a76 --board kitchen-pi
    \b
    The target that uses it, added by `dlpipe target add kitchen-pi.toml`:
      name = "kitchen-pi"
      extends = "arm64-cortex-a76"
      summary = "the Raspberry Pi 5 in the kitchen"
      runner = "device"
      [options.agent]
      url = "http://kitchen-pi:7077"
    """
    from dlpipe.errors import UserError
    from dlpipe.toolchains.agent import program
    from dlpipe.toolchains.agent.parts.main import main

    del no_color
    if export is not None:
        try:
            export.write_text(program.text(), encoding="utf-8")
        except OSError as error:
            raise UserError(f"{export} cannot be written: {error.strerror}") from error
        said = "its token in DLPIPE_AGENT_TOKEN (with --server, in DLPIPE_TOKEN)"
        typer.echo(f"{export}: start it there with `python3 {export.name}`, {said}")
        return 0
    given = {"--host": host, "--port": port, "--name": name, "--token-file": token_file, "--site": site}
    given |= {"--space": space, "--server": server, "--target": target, "--python": python}
    main([str(part) for key, value in given.items() if value is not None for part in (key, value)])
    return 0
