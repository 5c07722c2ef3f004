"""What an artefact says of itself."""

import json
from pathlib import Path
from typing import Any


def read(artifact: Path) -> Any:
    """Its run.json: "inputs" and "outputs" with name, dtype, shape, and the .npy file each is passed in."""
    return json.loads((artifact / "run.json").read_text(encoding="utf-8"))
