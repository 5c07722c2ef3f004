"""Where a graph's preprocessing ends and the part that ONNX can express begins.

Real graphs start with operators on bytes: a WAV or JPEG decoder, a spectrogram, MFCC, a CSV parser. Before:

    wav_data -> DecodeWav -> AudioSpectrogram -> Mfcc -> Reshape -> Conv2D -> ... -> Softmax

The cut goes through the tensors that leave the last such operator (here Mfcc:0): they become the ONNX inputs. What lies
above is kept as an executable TensorFlow graph. Where such a tensor has no fixed shape (a decoded image), the cut moves
down until it has one (behind the resize), since samples of different shapes could not be fed in one run.
"""

from dataclasses import dataclass
from typing import Any

from dlpipe_worker import Refused

from .graphs import Graph, Index, canonical, split
from .interface import PLACEHOLDERS

KINDS: dict[str, frozenset[str]] = {
    "audio": frozenset({"DecodeWav", "EncodeWav", "AudioSpectrogram", "Mfcc"}),
    "image": frozenset({"DecodeJpeg", "DecodePng", "DecodeBmp", "DecodeGif", "DecodeImage", "DecodeAndCropJpeg"})
    | {"ExtractJpegShape", "DecodeWebP"},
    "file": frozenset({"ReadFile"}),
    "string": frozenset({"StringSplit", "StringSplitV2", "StringLower", "StringUpper", "StringStrip", "StringJoin"})
    | {"StringToNumber", "StringToHashBucket", "StringToHashBucketFast", "StringToHashBucketStrong", "StringLength"}
    | {"Substr", "AsString", "RegexReplace", "StaticRegexReplace", "RegexFullMatch", "StaticRegexFullMatch"}
    | {"UnicodeDecode", "UnicodeEncode", "UnicodeTranscode", "UnicodeScript", "StringFormat", "StringNGrams"}
    | {"DecodeRaw", "DecodePaddedRaw", "DecodeBase64", "EncodeBase64", "DecodeCompressed"},
    "record": frozenset({"ParseExample", "ParseExampleV2", "ParseSingleExample", "ParseSequenceExample", "ParseTensor"})
    | {"DecodeCSV", "DecodeJSONExample", "DecodeProtoV2"},
}
_KIND_OF = {op: kind for kind, ops in KINDS.items() for op in ops}
_ACCEPTS = {"audio": "wav", "image": "image"}  # anything else takes bytes as text
_LONGEST_WALK = 64  # operators that a cut may move down in search of a fixed shape


@dataclass(frozen=True)
class Boundary:
    """`feeds`: the tensor that takes the bytes of a clip or picture. `tensors`: where the ONNX model begins."""

    feeds: str
    accepts: str
    tensors: tuple[str, ...]
    operators: tuple[str, ...]
    kind: str


def find_boundary(graph: Graph, inferred: Any, inputs: list[str], outputs: list[str]) -> Boundary | None:
    """None when nothing has to be cut. `inferred` is the tf.Graph of `graph`, with shapes.

    Raises Refused when the removed part would be the whole model.
    """
    index = Index(graph)
    needed = index.ancestors(split(name)[0] for name in outputs)
    fed = index.descendants(split(name)[0] for name in inputs)
    beyond = [node.name for node in graph.node if node.op in _KIND_OF and node.name in needed and node.name in fed]
    if not beyond:
        return None
    above = index.ancestors(beyond)
    tensors = _crossing(index, above, needed, fed, outputs)
    while readers := [
        reader.name
        for name in tensors
        if not _is_numeric(inferred, name)
        for reader in _readers(index, name, above, needed)
    ]:
        above |= index.ancestors(readers)
        tensors = _crossing(index, above, needed, fed, outputs)
    tensors, above = _move_to_fixed_shapes(index, inferred, tensors, above, needed, fed, outputs)
    if not tensors or any(split(name)[0] in above for name in outputs):
        blamed = index.nodes[beyond[-1]]
        raise Refused(
            f"the whole graph is preprocessing that ONNX cannot express (last: {blamed.name}, {blamed.op})",
            kind="unsupported",
            node=blamed.name,
            op=blamed.op,
        )
    removed = [node for node in graph.node if node.name in above and node.name in fed and node.op not in PLACEHOLDERS]
    first = next(node for node in graph.node if node.name in beyond and node.op != "ReadFile")
    kind = _KIND_OF[first.op]
    return Boundary(
        feeds=_behind_identities(index, first.input[0]),
        accepts=_ACCEPTS.get(kind, "text"),
        tensors=tuple(tensors),
        operators=tuple(node.op for node in removed if node.op != "ReadFile"),
        kind=kind if kind in _ACCEPTS else "text",
    )


def _behind_identities(index: Index, tensor: str) -> str:
    """An inlined function reads its argument through an Identity."""
    while index.nodes[split(tensor)[0]].op == "Identity":
        tensor = index.nodes[split(tensor)[0]].input[0]
    return canonical(tensor)


def _crossing(index: Index, above: set[str], needed: set[str], fed: set[str], outputs: list[str]) -> list[str]:
    """The fed tensors made in `above` and read below it, in graph order. Constants stay on both sides."""
    found = []
    for node in index.graph.node:
        if node.name in needed and node.name not in above:
            found += [canonical(name) for name in node.input if split(name)[1] >= 0 and split(name)[0] in above & fed]
    found += [name for name in outputs if split(name)[0] in above]
    return list(dict.fromkeys(found))


def _readers(index: Index, tensor: str, above: set[str], needed: set[str]) -> list[Any]:
    nodes = index.consumers.get(split(tensor)[0], ())
    return [
        node
        for node in nodes
        if node.name in needed and node.name not in above and tensor in [canonical(each) for each in node.input]
    ]


def _is_numeric(inferred: Any, tensor: str) -> bool:
    dtype = inferred.get_tensor_by_name(tensor).dtype
    return bool(dtype.is_floating or dtype.is_integer or dtype.is_bool)


def _move_to_fixed_shapes(
    index: Index,
    inferred: Any,
    tensors: list[str],
    above: set[str],
    needed: set[str],
    fed: set[str],
    outputs: list[str],
) -> tuple[list[str], set[str]]:
    """Down past operators of unknown shape; where that finds no fixed shape, the cut stays where it was."""
    moved, lower = list(tensors), set(above)
    for _ in range(_LONGEST_WALK):
        loose = [name for name in moved if not _is_fixed(inferred, name)]
        if not loose:
            return moved, lower
        if any(split(name)[0] in lower for name in outputs):
            break
        lower |= index.ancestors(reader.name for name in loose for reader in _readers(index, name, lower, needed))
        moved = _crossing(index, lower, needed, fed, outputs)
    return tensors, above


def _is_fixed(inferred: Any, tensor: str) -> bool:
    """The first dim may be unknown: it is the batch."""
    shape = inferred.get_tensor_by_name(tensor).shape
    return shape.rank is not None and all(dim is not None for dim in shape.as_list()[1:])
