"""A room per training framework: its file format -> ONNX, and how to run the original."""

from pathlib import Path
from typing import Any

from dlpipe.contracts.frontend import ImportOptions

KIT = Path(__file__).with_name("kit")  # worker code that frontends share: a library of their calls


def inputs_of(options: ImportOptions) -> dict[str, dict[str, Any]]:
    """As a worker is told what the user settled of the inputs."""
    return {name: dict(each) for name, each in options.inputs.items()}
