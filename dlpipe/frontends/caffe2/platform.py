"""Operators of a phone's camera or screen or of a data base, which are no network: they are cut off or refused."""

from __future__ import annotations

from dataclasses import dataclass

from dlpipe_worker import Refused, Request

from .nets import Net


@dataclass(frozen=True)
class Boundary:
    """What the network is fed with behind the operator: per sample, with free dims as names."""

    shape: tuple[int | str, ...]
    layout: str
    says: str


CUT_BEFORE = {
    "PackedInt8BGRANHWCToNCHWCStylizerPreprocess": Boundary(
        (3, "H", "W"), "NCHW", "it takes packed 8-bit BGRA pixels, subtracts the mean of each channel and adds noise"
    ),
}
_CUT_BEHIND = {
    "BRGNCHWCToPackedInt8BGRAStylizerDeprocess": "it adds the mean of each channel and packs 8-bit BGRA pixels",
}
CUT = dict.fromkeys((*CUT_BEFORE, *_CUT_BEHIND), "cut off")
_READERS = (
    "TensorProtosDBInput", "ImageInput", "VideoInput", "ReadNextBatch", "DequeueBlobs", "CreateDB",
)  # fmt: skip
_FOREIGN = {"MPSCNN": "Apple's Metal", "OpenGL": "OpenGL", "CopyToMPSCNN": "Apple's Metal", "Copy_Image": "OpenGL"}


def cut_platform(net: Net, request: Request) -> tuple[set[int], dict[str, str]]:
    """(indices of the operators that are cut off, output that is gone -> the value that takes its place).

    Tells the user of each. Raises Refused for operators of a platform in the middle of the network.
    """
    cut: set[int] = set()
    instead: dict[str, str] = {}
    for op in net.operators:
        for prefix, platform in _FOREIGN.items():
            if op.type.startswith(prefix):
                raise Refused(
                    f"{op.type} is written for {platform}: this net was made ready for one device",
                    "unsupported",
                    hint="import the net that it was made from",
                    **op.where,
                )
        if op.type in _READERS:
            raise Refused(
                f"{op.type} reads a data base: this is the net to train or test, not the one to deploy",
                "unsupported",
                **op.where,
            )
        if op.type in CUT_BEFORE and op.outputs:
            cut.add(op.index)
            boundary = CUT_BEFORE[op.type]
            shape = "x".join(map(str, boundary.shape))
            request.note(
                f"{op.type} is cut off the front, because it is no network: {boundary.says}. The model begins behind "
                f"it and takes {op.outputs[0]!r}, floats of {shape}: do the same to your pixels",
                "warning",
                op=op.type,
            )
        elif op.type in _CUT_BEHIND and op.inputs and op.outputs:
            cut.add(op.index)
            instead[op.outputs[0]] = op.inputs[0]
            request.note(
                f"{op.type} is cut off the end, because it is no network: {_CUT_BEHIND[op.type]}. "
                "The model ends before it",
                "warning",
                op=op.type,
            )
    return cut, instead
