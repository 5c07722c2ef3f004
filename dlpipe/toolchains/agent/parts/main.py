"""How the agent is started."""

import argparse
import os
import platform
import secrets
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import List, Optional

from dlpipe.toolchains.agent.parts.board import Board
from dlpipe.toolchains.agent.parts.common import SERVER_TOKEN, TOKEN, Failed
from dlpipe.toolchains.agent.parts.direct import serve
from dlpipe.toolchains.agent.parts.service import Service, described, work


def main(arguments: Optional[List[str]] = None) -> None:
    parser = argparse.ArgumentParser(description="Run and time artefacts of dlpipe on this board.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=7077)
    parser.add_argument("--server", help="address of a service whose farm this board joins, in place of listening")
    parser.add_argument("--target", help="with --server: which target this board is, as `dlpipe target list` names it")
    parser.add_argument("--name", default=platform.node() or "board", help="what reports call this board")
    parser.add_argument(
        "--token-file", type=Path, help="default: the environment's DLPIPE_AGENT_TOKEN, with --server DLPIPE_TOKEN"
    )
    parser.add_argument("--python", help="the command that starts Python for artefacts (default: this very one)")
    parser.add_argument("--site", help="a folder of Python packages that artefacts need")
    parser.add_argument("--folder", help="where artefacts are kept while it runs (default: the system's)")
    parser.add_argument(
        "--space",
        type=float,
        metavar="GIB",
        help="how much of artefacts and samples is kept (default: half of what is free)",
    )
    asked = parser.parse_args(arguments)
    variable = SERVER_TOKEN if asked.server else TOKEN
    token = asked.token_file.read_text().strip() if asked.token_file else os.environ.get(variable, "")
    if asked.server and (not asked.target or not asked.server.startswith(("http://", "https://"))):
        parser.error("--server is to be an address (http:// or https://), and --target says what this board is")
    if len(token) < 16:
        hint = (
            "its administrator makes one of scope board" if asked.server else "a new one: " + secrets.token_urlsafe(24)
        )
        parser.error("a token of 16 characters or more is needed, in %s or --token-file; %s" % (variable, hint))
    python = shlex.split(asked.python) if asked.python else [sys.executable]
    with tempfile.TemporaryDirectory(prefix="dlpipe-agent-", dir=asked.folder) as folder:
        space = shutil.disk_usage(folder).free // 2 if asked.space is None else int(asked.space * (1 << 30))
        board = Board(Path(folder), asked.name, python, asked.site, space)
        if not asked.server:
            serve(board, asked.host, asked.port, token)
            return
        try:
            about = described(board, asked.target, python, asked.site)
        except Failed as error:
            parser.error(str(error))
        refused = work(board, Service(asked.server, token), about)
    if refused is not None:
        parser.exit(2, "the service refuses: %s\n" % refused)
