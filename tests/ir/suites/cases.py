"""The test cases that the onnx package brings along, as models with inputs. Runs in the core toolchain."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import onnx.backend.test
from onnx.backend.test import loader

_DATA = Path(onnx.backend.test.__file__).parent / "data"


@dataclass(frozen=True)
class Case:
    """`inputs`: arrays (lists of them for sequences, None for an empty optional) in the order of the graph's inputs;
    None where the suite has none. `expected`: the same for its outputs."""

    name: str
    model: Any
    inputs: list[Any] | None
    expected: list[Any] | None


def load(suite: str) -> Iterator[Case]:
    if suite == "node":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy, of the infinities that some cases are about
            found = loader.load_model_tests(kind="node")
        for each in found:
            inputs, outputs = each.data_sets[0]
            yield Case(each.name, each.model, list(inputs), list(outputs))
    elif suite == "light":
        for path in sorted(_DATA.glob("light/*.onnx")):
            yield Case(path.stem, onnx.load_model(str(path)), None, None)
    else:
        for folder in sorted(path.parent for path in _DATA.glob(f"{suite}/*/model.onnx")):
            model = onnx.load_model(str(folder / "model.onnx"))
            data = folder / "test_data_set_0"
            yield Case(folder.name, model, _stored(data, "input", model), _stored(data, "output", model))


def _stored(folder: Path, side: str, model: Any) -> list[Any]:
    ports = getattr(model.graph, side)
    return [_value(folder / f"{side}_{i}.pb", ports[i]) for i in range(len(list(folder.glob(f"{side}_*.pb"))))]


def _value(path: Path, port: Any) -> Any:
    if port.type.HasField("sequence_type"):
        return onnx.numpy_helper.to_list(onnx.SequenceProto.FromString(path.read_bytes()))
    if port.type.HasField("optional_type"):
        return onnx.numpy_helper.to_optional(onnx.OptionalProto.FromString(path.read_bytes()))
    return onnx.numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))
