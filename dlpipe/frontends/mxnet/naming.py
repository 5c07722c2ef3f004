"""Names that both sides agree on: the converter in the core toolchain, and MXNet itself (Python 3.8).

Written from the public behaviour of MXNet 0.5 to 1.9: what files of these versions call their parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

WEIGHTS = ("weight", "bias", "gamma", "beta", "moving_mean", "moving_var", "running_mean", "running_var", "parameters")
KINDS = ("arg:", "aux:")  # how `save_checkpoint` and `export` tell parameters from running statistics
_REGRESSIONS = ("LinearRegressionOutput", "MAERegressionOutput", "LogisticRegressionOutput")
# Operators whose second input is a label, which inference has not.
LOSSES = {"SoftmaxOutput", "Softmax", "SVMOutput", *_REGRESSIONS, *("_sparse_" + each for each in _REGRESSIONS)}
_SEVERAL = {"SliceChannel", "split", "_split_v2", "topk", "amp_multicast", "moments"}


def output_name(node: Mapping[str, Any], index: int) -> str:
    """What MXNet calls output `index` of a node of the symbol."""
    if node["op"] == "null":
        return str(node["name"])
    return f"{node['name']}_output{index if index or node['op'] in _SEVERAL else ''}"


def find_heads(nodes: Sequence[Mapping[str, Any]], wanted: Iterable[str]) -> list[list[int]]:
    """[node id, output index] of outputs that the user named, by the node's name or the output's.

    Raises Refused with what there is.
    """
    known: dict[str, list[int]] = {}
    for number, node in enumerate(nodes):
        for index in range(8):
            known.setdefault(output_name(node, index), [number, index])
        known[str(node["name"])] = [number, 0]
    heads = []
    for name in wanted:
        if name not in known:
            shown = ", ".join(str(node["name"]) for node in nodes[-5:])
            raise Refused(f"the model has no output or layer {name!r}", hint=f"its last layers are: {shown}")
        heads.append(known[name])
    return heads


def find_params(folder: Path, entry: str) -> Path | None:
    """The one .params file beside the symbol. Raises Refused where there are several."""
    found = sorted((folder / entry).parent.glob("*.params"))
    if len(found) > 1:
        listed = ", ".join(path.name for path in found)
        raise Refused(f"several files of parameters stand beside {entry}: {listed}", hint="keep the one that is meant")
    return found[0] if found else None


def match(variables: Sequence[str], stored: Sequence[str]) -> dict[str, str]:
    """Variable of the symbol -> name in the .params file.

    `arg:` and `aux:` are told apart by the file, not by us. Gluon's `save_params` left out the prefix of the block:
    it is put back where one prefix fits all. Raises Refused for structured names, which no symbol knows.
    """
    bare = {name[4:] if name.startswith(KINDS) else name: name for name in stored}
    missing = [name for name in bare if name not in variables]
    if bare and len(missing) == len(bare) and any(name.endswith(WEIGHTS) for name in variables):
        prefix = _common_prefix(variables, list(bare))
        if prefix is not None:
            return {prefix + name: bare[name] for name in bare}
        if all("." in name for name in bare):
            raise Refused(
                "the .params file has Gluon's structured names (block.0.weight), which the symbol does not know",
                hint="save both with HybridBlock.export(), or the parameters with collect_params().save()",
            )
        raise Refused(
            "no parameter of the .params file belongs to this symbol: "
            f"the file has {min(bare)!r}, the symbol {min(variables, default='')!r}",
            hint="are symbol and parameters of the same model?",
        )
    return {name: bare[name] for name in variables if name in bare}


def _common_prefix(variables: Sequence[str], names: Sequence[str]) -> str | None:
    known, first = set(variables), names[0]
    for variable in variables:
        if variable.endswith(first):
            prefix = variable[: len(variable) - len(first)]
            if all(prefix + name in known for name in names):
                return prefix
    return None
