"""What `convert`, `plan` and `zoo run` share: say what will be done, do it, show the result."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import typer

from dlpipe.cli.output import exit_code
from dlpipe.cli.progress import Progress
from dlpipe.cli.wrapping import say
from dlpipe.pipeline.convert import convert
from dlpipe.pipeline.plan import Plan, make_plan
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session


@dataclass(frozen=True, slots=True)
class Journey:
    offline: bool
    jobs: int | None
    as_json: bool
    verbose: bool
    color: bool
    executor: str = "local"

    def plan(self, request: ConvertRequest) -> int:
        """Returns the exit code: 3 where nothing is left for a target."""
        with Progress(quiet=self.as_json, verbose=self.verbose) as progress, self._session(progress) as session:
            plan = make_plan(session, request, preflight=True)
        if self.as_json:
            sys.stdout.write(json.dumps(plan.as_dict()) + "\n")
        else:
            say(plan.as_text())
        return exit_code(plan.error)

    def convert(self, request: ConvertRequest, *, ask: bool) -> int:
        """Returns the exit code. Raises what the journey raises before there is a report."""
        from dlpipe.report.terminal import render_terminal

        with Progress(quiet=self.as_json, verbose=self.verbose) as progress, self._session(progress) as session:
            plan = make_plan(session, request)
            if not self.as_json:
                say(plan.as_text(), to_stderr=True)
            if not plan.possible and plan.error is not None:
                raise plan.error  # whatever was made of the model, nothing could be compiled from it
            self._confirm(plan, ask=ask)
            converted = convert(session, request)
        if self.as_json:
            sys.stdout.write(converted.report.to_json())
        else:
            render_terminal(converted.report, color=self.color)
            typer.echo(f"report: {converted.out / 'report.html'}")
        if converted.kept is not None:
            say(f"dlpipe: the earlier result, which is another one, is kept as {converted.kept}", to_stderr=True)
        return exit_code(converted.error)

    def _session(self, progress: Progress) -> Session:
        return Session(offline=self.offline, jobs=self.jobs, executor=self.executor, listeners=[progress])

    def _confirm(self, plan: Plan, *, ask: bool) -> None:
        """A question only where there is something to download and somebody to ask."""
        if ask and plan.to_install and sys.stdin.isatty() and sys.stderr.isatty():
            typer.confirm("Go on?", default=True, abort=True, err=True)
