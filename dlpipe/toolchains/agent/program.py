"""The agent's program as the one file that a board gets: its parts, one after the other.

What they import of each other is left out, since it stands above then; nothing else is changed, so that what runs on a
board is what is read and tested here.
"""

from __future__ import annotations

import ast
from pathlib import Path

from dlpipe.toolchains.agent import parts

PARTS = ("common", "machine", "guest", "board", "direct", "service", "main")  # each needs those before it alone
_HEAD = '''"""The agent of a board: takes artefacts, runs and times them here, and gives their outputs back.

One file, standard library only, clean down to Python 3.7, so that it can be copied to a board that has no dlpipe: what
it runs needs NumPy and the artefact's runtime there. Made by `dlpipe agent --export`.

Whoever has the token may run programs as this user. Two ways in, one at a time:

- A direct connection (--host, --port). Every request is signed with the token (HMAC-SHA256 over method, path, time, a
  number used once, body, and session), every answer too, and it never travels itself. The session is a number that the
  agent draws when it starts and tells with `about`: a request that somebody has listened to counts neither a second
  time, nor after a restart, when the used numbers are forgotten, nor on another board with the same token. Nothing is
  encrypted: on a network that others listen to, let it listen on 127.0.0.1 and reach it through ssh. The signature is
  checked before a body is read, so that nobody else can fill its memory.
- A service (--server). The agent asks, nothing listens. The token travels with each request: use https but for the
  loopback.
"""
'''
_FOOT = '\n\nif __name__ == "__main__":\n    main()\n'


def text() -> str:
    """The program's source."""
    modules: set[str] = set()
    names: dict[str, set[str]] = {}
    bodies = []
    for part in PARTS:
        source = Path(parts.__file__).with_name(f"{part}.py").read_text(encoding="utf-8")
        begin = 0
        for number, statement in enumerate(ast.parse(source).body):
            if isinstance(statement, ast.Import):
                modules |= {each.name for each in statement.names}
            elif isinstance(statement, ast.ImportFrom):
                if not (statement.module or "").startswith(parts.__name__):
                    names.setdefault(statement.module or "", set()).update(each.name for each in statement.names)
            elif number:
                continue  # its code; number 0 is the docstring
            begin = statement.end_lineno or 0
        bodies.append("\n".join(source.splitlines()[begin:]).strip())
    imports = [f"import {each}" for each in sorted(modules)]
    imports += [f"from {module} import {', '.join(sorted(found))}" for module, found in sorted(names.items())]
    return "\n".join([_HEAD, *imports]) + "\n\n\n" + "\n\n\n".join(bodies) + _FOOT
