"""Which artefacts of a run can be shipped encrypted: the scorecard says it."""

from __future__ import annotations

from dlpipe.package.loaders import kind_of, why_not
from dlpipe.report.schema import Artifact


def why_not_encrypted(artifact: Artifact) -> str | None:
    """Why `encrypt` would refuse it; None where it would not."""
    if artifact.parts:
        return "it is in parts: one program loads each from its files"
    kernels = next((name for name in artifact.files if name.endswith((".cl", ".cubin"))), "")
    return why_not(kind_of({"backend": artifact.backend, "kernels": kernels}))
