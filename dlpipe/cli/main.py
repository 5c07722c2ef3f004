"""Entry point: assembles the commands, and turns every error into one short block and its exit code."""

from __future__ import annotations

import importlib
import json
import os
import sys

import typer

from dlpipe.errors import DlpipeError

COMMANDS = (
    "convert", "plan", "inspect", "import", "run", "compare", "bench", "report", "explain", "lineage",
    "frontend", "pass", "backend", "target", "toolchain", "cache", "zoo", "doctor",
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
        code = app(standalone_mode=False)
    except DlpipeError as error:
        _print_error(error, as_json=as_json)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("interrupted; what is finished is kept, the same command goes on from there\n")
        code = 130
    except BrokenPipeError:  # `dlpipe ... | head`: the reader has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # noqa: BLE001 - the last stand: a usage error of the parser, or our bug
        code = _last_stand(error)
    sys.exit(code if isinstance(code, int) else 0)


def _last_stand(error: Exception) -> int:
    show = getattr(error, "show", None)
    if show is not None:  # the option parser's own errors know how to print themselves
        show()
        return int(getattr(error, "exit_code", 2))
    from dlpipe.cli.crash import write_crash_report

    path = write_crash_report(error)
    sys.stderr.write(
        f"dlpipe: this is a bug of dlpipe, not of your model: {type(error).__name__}: {error}\n"
        f"A report that can be pasted into an issue: {path}\n"
    )
    return 70


def _print_error(error: DlpipeError, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(error.as_dict(), default=str) + "\n")
        return
    lines = [f"dlpipe: {error.message}"]
    lines += [f"  {key}: {value}" for key, value in error.where.items()]
    if error.hint:
        lines.append(f"  what to do: {error.hint}")
    sys.stderr.write("\n".join(lines) + "\n")
