"""Entry point: assembles the commands, and turns every error into one short block and its exit code."""

from __future__ import annotations

import errno
import importlib
import json
import os
import sys

import typer

from dlpipe.cli.wrapping import say
from dlpipe.errors import DiskTrouble, DlpipeError, Interrupted, UserError

COMMANDS = (
    "convert", "plan", "inspect", "import", "export", "optimize", "compress", "compile", "run", "compare", "bench",
    "bisect", "report", "gate", "select", "explain", "lineage", "frontend", "pass", "recipe", "backend", "target",
    "toolchain", "cache", "zoo", "doctor", "agent", "package", "init", "serve", "service", "worker", "submit", "status",
    "logs", "fetch", "cancel", "retry",
)  # fmt: skip

app = typer.Typer(
    help="Convert, optimise and compile a trained model for another place, and measure every step.\n\n"
    "\b\nThe one command most people need:\n"
    "  dlpipe convert model.pb --target arm64 --data clips/\n"
    "\b\nWhat it would do, without doing it:\n"
    "  dlpipe plan model.pb --target arm64",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(value: bool) -> None:
    if value:
        from dlpipe import __version__

        typer.echo(f"dlpipe {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    del version


for _name in COMMANDS:
    _module = importlib.import_module(f"dlpipe.cli.{_name.replace('import', 'import_').replace('pass', 'pass_')}")
    _module.register(app)


def run() -> None:
    """Run the command line and exit with the contract's code (see cli.md: 0, 2, 3, 4, 70, 130)."""
    as_json = "--json" in sys.argv
    try:
        code = _command(as_json=as_json)
    except BrokenPipeError:  # `dlpipe ... | head`: the reader has gone
        code = 0
    try:
        sys.stdout.flush()
    except OSError:  # nobody reads it, and the interpreter must not complain of that at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _command(*, as_json: bool) -> int:
    """The exit code, once what there is to say about it is printed."""
    try:
        code = app(standalone_mode=False)
        if code == _INTERRUPTED.exit_code:  # Ctrl-C, which the parser turns into this code
            raise _INTERRUPTED
    except (KeyboardInterrupt, typer.Abort):
        error: DlpipeError = _INTERRUPTED
    except DlpipeError as raised:
        error = raised
    except BrokenPipeError:
        raise
    except Exception as raised:  # noqa: BLE001 - the last stand: a usage error of the parser, a full disk, or our bug
        error = _usage(raised, as_json=as_json) or _disk(raised) or _bug(raised)
    else:
        return code if isinstance(code, int) else 0
    _print_error(error, as_json=as_json)
    return error.exit_code


_INTERRUPTED = Interrupted("interrupted", hint="the same command goes on from here: what is finished is kept")


def _usage(error: Exception, *, as_json: bool) -> UserError | None:
    """The option parser's own errors know how to print themselves."""
    show = getattr(error, "show", None)
    if show is None:
        return None
    if not as_json:
        show()
        sys.exit(int(getattr(error, "exit_code", 2)))
    return UserError(str(getattr(error, "format_message", error.__str__)()))


def _disk(error: Exception) -> UserError | None:
    """Where nobody else caught it: a log, a report, standard output itself."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = error.filename or "the disk that holds the cache, the output or the temporary folder"
        return DiskTrouble(f"a disk is full: {place}", hint="free some space; DLPIPE_CACHE_DIR chooses another disk")
    return None


def _bug(error: Exception) -> DlpipeError:
    from dlpipe.cli.crash import write_crash_report

    return DlpipeError(
        f"this is a bug of dlpipe, not of your model: {type(error).__name__}: {error}",
        hint="paste the report into an issue",
        report=write_crash_report(error),
    )


def _print_error(error: DlpipeError, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(error.as_dict(), default=str) + "\n")
        return
    lines = [f"dlpipe: {error.message}"]
    lines += [f"  {key}: {value}" for key, value in error.where.items()]
    if error.hint:
        lines.append(f"  what to do: {error.hint}")
    say("\n".join(lines), to_stderr=True)
