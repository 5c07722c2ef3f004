"""What a run found, as data (`schema`, `scorecard`) and for people (terminal, HTML, Markdown, JUnit)."""

from dlpipe.report.schema import (
    Artifact,
    Environment,
    Gate,
    Measured,
    Note,
    Reference,
    Report,
    Samples,
    ScorecardRow,
    Selected,
    Source,
    Stage,
)

__all__ = [
    "Artifact",
    "Environment",
    "Gate",
    "Measured",
    "Note",
    "Reference",
    "Report",
    "Samples",
    "ScorecardRow",
    "Selected",
    "Source",
    "Stage",
]
