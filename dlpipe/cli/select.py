"""`dlpipe select`: which backend, by the indicators that count."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlpipe.cli import options as opt

if TYPE_CHECKING:
    from dlpipe.report.languages import Language
    from dlpipe.report.ranking import Ranked, Ranking


def register(app: typer.Typer) -> None:
    app.command("select")(select)


def select(
    runs: Annotated[list[str], typer.Argument(help="Run ids, output folders or report.json files.")],
    weights: Annotated[
        list[str] | None,
        typer.Option("--weights", "-w", help="NAME=VALUE, or a TOML file of such lines; what is not named weighs 0."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the scorecard with its plots to this file.")] = None,
    lang: opt.Lang = "en",
    as_json: opt.AsJson = False,
) -> None:
    """Rank backends for each target by weighted indicators of the scorecard. Only what passed is ranked.

    An indicator's score is its share of the best value: twice the latency is half the score.

    \b
    Examples:
      dlpipe select dlpipe-out/model-1a2b3c4d
      dlpipe select dlpipe-out/kws-* -w latency-p50=2 -w accuracy=3 -w storage=1
      dlpipe select dlpipe-out/model-1a2b3c4d -w weights.toml --html scorecard.html --lang zh
    """
    from dlpipe.cli.output import print_json
    from dlpipe.pipeline.runs import find_report
    from dlpipe.report.languages import language
    from dlpipe.report.ranking import default_weights, parse_weights, rank

    words = language(lang)
    reports = [find_report(each) for each in runs]
    chosen = parse_weights(_given(weights)) if weights else default_weights()
    rankings = rank(reports, chosen)
    if html is not None:
        from dlpipe.pipeline.store.disk import writing
        from dlpipe.report.scorecard_html import render_scorecard

        with writing(html, "the scorecard's file"):
            html.parent.mkdir(parents=True, exist_ok=True)
            html.write_text(render_scorecard(reports, rankings, words), encoding="utf-8")
    if as_json:
        print_json([_data(each) for each in rankings])
        return
    for ranking in rankings:
        _show(ranking, words, several=len(reports) > 1)
    if html is not None:
        typer.echo(f"wrote {html}")


def _given(texts: list[str]) -> dict[str, float]:
    from dlpipe.errors import UserError

    found: dict[str, float] = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        pairs: Mapping[str, Any] = {name: value} if equals else _read(Path(text))
        for key, weight in pairs.items():
            try:
                found[key] = float(weight)
            except (TypeError, ValueError):
                hint = "e.g. --weights latency-p50=2"
                raise UserError(f"--weights {key}={weight}: that is not a number", hint=hint) from None
    return found


def _read(file: Path) -> Mapping[str, Any]:
    from dlpipe.contracts.toml import read_toml
    from dlpipe.errors import UserError

    try:
        return read_toml(file)
    except OSError as error:
        raise UserError(f"--weights {file}: {error.strerror}", hint="NAME=VALUE, or a TOML file") from None
    except ValueError as error:
        raise UserError(f"--weights {file} is no TOML: {error}") from None


def _show(ranking: Ranking, t: Language, *, several: bool) -> None:
    from dlpipe.cli.output import print_table
    from dlpipe.report import words
    from dlpipe.report.indicators import indicators

    known = {each.id: each for each in indicators()}
    typer.echo(f"{words.plain(ranking.target)}:")
    rows = []
    for place, each in enumerate(ranking.rows, start=1):
        named = words.plain(f"{each.row.backend} {each.row.variant or ''}") + (f" ({each.run})" if several else "")
        if each.score is None:
            rows.append(("-", named, "-", words.plain(t.said(each.reason or ""))))
        else:
            cells = ", ".join(f"{known[id_].short.of(t.code)} {_cell(each, id_, t)}" for id_ in ranking.weights)
            rows.append((str(place), named, f"{each.score:.3f}", cells))
    print_table(("", "", t("Score"), ""), rows)
    counted = ", ".join(f"{known[id_].short.of(t.code)} {weight:.0%}" for id_, weight in ranking.weights.items())
    if counted:
        typer.echo(f"{t('Counted:')} {counted}")
    if ranking.unknown:
        names = ", ".join(known[id_].short.of(t.code) for id_ in ranking.unknown)
        typer.echo(f"{t('Not counted, since nobody has it:')} {names}")


def _cell(each: Ranked, id_: str, t: Language) -> str:
    from dlpipe.report import words

    figure = each.row.indicators[id_]
    mark = f" {t(figure.provenance)}" if figure.provenance not in ("measured", "absent") else ""
    return f"{words.value(figure)}{mark}"


def _data(ranking: Ranking) -> dict[str, Any]:
    return {
        "target": ranking.target,
        "weights": dict(ranking.weights),
        "unknown": list(ranking.unknown),
        "ranking": [
            {
                "run": each.run,
                "model": each.model,
                "backend": each.row.backend,
                "variant": each.row.variant,
                "artifact": each.row.artifact,
                "score": each.score,
                "scores": dict(each.scores),
                "reason": each.reason,
                "indicators": {id_: each.row.indicators[id_].model_dump(mode="json") for id_ in ranking.weights},
            }
            for each in ranking.rows
        ],
    }
