"""The ranking and the scorecard of runs as one HTML file, under the report's policy: no script, no network."""

from __future__ import annotations

from collections.abc import Sequence

from dlpipe.report import view
from dlpipe.report.html import template
from dlpipe.report.languages import Language
from dlpipe.report.ranking import Ranking
from dlpipe.report.schema import Report
from dlpipe.report.tradeoff import tradeoffs


def render_scorecard(reports: Sequence[Report], rankings: Sequence[Ranking], t: Language) -> str:
    return template("select.html.j2").render(
        t=t,
        headline=_headline(rankings, t),
        reports=reports,
        rankings=[(each, view.radar_of(each, t.code)) for each in rankings],
        tradeoffs=[each for report in reports for each in tradeoffs(report)],
        columns=[column for report in reports for column in view.columns(report)],
        groups=view.groups(),
        frameworks=view.framework_columns(reports),
        training_groups=view.training_groups(),
    )


def _headline(rankings: Sequence[Ranking], t: Language) -> str:
    best = {each.target: each.rows[0].row for each in rankings if each.rows and each.rows[0].score is not None}
    if not best:
        return t("Nothing here passed, so nothing is ranked")
    return t("First") + ": " + "; ".join(f"{target}: {row.backend} {row.variant or ''}" for target, row in best.items())
