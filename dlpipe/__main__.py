"""`python -m dlpipe`: the command where its script is not on PATH."""

from dlpipe.cli.main import run

run()
