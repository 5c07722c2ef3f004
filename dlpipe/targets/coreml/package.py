"""A model's specification and weights as a package (.mlpackage): a folder, the same bytes for the same content.

coremltools would name its items by random UUIDs, note the day, and write maps in the order of a hash.
"""

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

_AUTHOR = "com.apple.CoreML"
_ITEMS = {  # file or folder below Data/com.apple.CoreML -> what it is
    "model.mlmodel": "CoreML Model Specification",
    "weights": "CoreML Model Weights",
}
_DATE = "com.github.apple.coremltools.conversion_date"
_NAMESPACE = uuid.UUID("1f2f0a1a-7b0c-5d0e-8a3e-6f2f4c1d9b57")  # of the items' names


def write(folder: Path, spec: Any, weights: bytes) -> None:
    """`spec`: coremltools.proto.Model_pb2.Model. `weights`: what its programs call @model_path/weights/weight.bin."""
    spec.description.metadata.userDefined.pop(_DATE, None)
    model = spec.SerializeToString(deterministic=True)
    data = folder / "Data" / _AUTHOR
    (data / "weights").mkdir(parents=True)
    (data / "model.mlmodel").write_bytes(model)
    (data / "weights/weight.bin").write_bytes(weights)
    # By content: two models in one app are told apart, and one model is the same wherever it is made.
    content = hashlib.sha256(model + hashlib.sha256(weights).digest()).hexdigest()
    names = {item: str(uuid.uuid5(_NAMESPACE, item + content)) for item in _ITEMS}
    manifest = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": {
            names[item]: {"author": _AUTHOR, "description": what, "name": item, "path": f"{_AUTHOR}/{item}"}
            for item, what in _ITEMS.items()
        },
        "rootModelIdentifier": names["model.mlmodel"],
    }
    (folder / "Manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
