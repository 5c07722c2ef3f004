"""What the command `dlpipe` starts; `python -m dlpipe` where its script is not on PATH.

Until its own modules are loaded nothing has begun that Ctrl-C would have to end with care.
"""

from __future__ import annotations

import signal


def main() -> None:
    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not in the background of a shell's script
    if listens:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # it ends without a trace
    from dlpipe.cli.main import run

    if listens:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
