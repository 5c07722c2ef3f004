"""A program of `torch.export` as a Core ML program."""

import logging
import re
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)  # of libraries that it has on a Mac only, and of a newer torch than Apple tested
    import coremltools as ct

    logging.disable(logging.NOTSET)

_PRECISIONS = {"fp32": ct.precision.FLOAT32, "fp16": ct.precision.FLOAT16}
_LACKING = re.compile(r"(?:convert function for op '|Unsupported fx node )(\w+)")
TYPES = {"float32": np.float32, "int32": np.int32, "int64": np.int32}  # of the contract -> of the package


@dataclass(frozen=True, slots=True)
class Converted:
    """`spec`: the model as Core ML's protocol buffer; `weights`: the file that it refers to."""

    spec: Any
    weights: bytes


def names(ports: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Name in the contract -> name in the package, which takes letters, digits and underscores only."""
    found: dict[str, str] = {}
    for port in ports:
        plain = re.sub(r"\W", "_", port["name"], flags=re.ASCII)
        plain = plain if re.match(r"[A-Za-z_]", plain) else f"_{plain}"
        while plain in found.values():
            plain += "_"
        found[port["name"]] = plain
    return found


def convert(exported: Any, contract: Mapping[str, Any], variant: str) -> Converted:
    """Raises Refused for operators that Core ML Tools has no translation of."""
    renamed = names([*contract["inputs"], *contract["outputs"]])
    inputs, outputs = (
        [ct.TensorType(renamed[port["name"]], _shape(port) if fed else None, TYPES[port["dtype"]]) for port in ports]
        for ports, fed in ((contract["inputs"], True), (contract["outputs"], False))
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = ct.convert(
                exported.run_decompositions({}),
                source="pytorch",
                convert_to="mlprogram",
                minimum_deployment_target=ct.target.iOS16,
                compute_precision=_PRECISIONS[variant],
                inputs=inputs,
                outputs=outputs,
                skip_model_load=True,
            )
    except (NotImplementedError, ValueError, RuntimeError, TypeError, KeyError, AssertionError) as error:
        lacking = _LACKING.search(str(error))
        why = f"it has no translation of torch's {lacking[1]}" if lacking else str(error).strip().splitlines()[0]
        raise Refused(f"Core ML Tools cannot convert the model: {why}", kind="unsupported") from error
    with tempfile.TemporaryDirectory() as folder:
        made.save(f"{folder}/model.mlpackage")
        weights = next(Path(folder).rglob("weight.bin"), None)
        return Converted(made.get_spec(), weights.read_bytes() if weights else b"")


def _shape(port: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(1 if isinstance(size, str) else size for size in port["shape"])
