"""Runs Caffe2 nets in Caffe2 itself. Python 3.7; the wheel is PyTorch 1.0's."""

import os
from pathlib import Path
from typing import Any, List, Mapping, Optional

from dlpipe_worker import Refused, Request, operation

from ..kit import executing
from .naming import single_assignment

_STARTED = []  # type: List[bool]  # whether Caffe2's flags are set: once in a process


@operation
def operators(request: Request) -> List[str]:
    """none -> value: the operators that this Caffe2 has."""
    del request
    from caffe2.python import workspace

    return sorted(workspace.RegisteredOperators())


def _open(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> executing.Model:
    if threads and not _STARTED:
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    return _Net(Path(request.inputs["source"], request.params["entry"]).parent, contract)


executing.serve(__name__, _open)


class _Net(executing.Model):
    """Every value has a name of its own (naming.py), so all layers can be read after one run."""

    def __init__(self, folder: Path, contract: Mapping[str, Any]) -> None:
        from caffe2.proto import caffe2_pb2
        from caffe2.python import core, workspace

        if not _STARTED:
            core.GlobalInit(["caffe2", "--caffe2_log_level=2"])
            _STARTED.append(True)
        self.tool = "caffe2 of torch 1.0.0"
        self._workspace, self._core = workspace, core
        self._sources = {each["name"]: each["source"] for each in (*contract["inputs"], *contract["outputs"])}
        told = contract["metadata"]["caffe2"]
        nets = [_read(folder / name, caffe2_pb2.NetDef()) for name in told["files"]]
        filling, running = caffe2_pb2.NetDef(name="filling"), caffe2_pb2.NetDef(name="running")
        every = [op for net in nets for op in net.op]
        wiring, _ = single_assignment([(list(op.input), list(op.output)) for op in every])
        self._made = []  # type: List[str]
        fed = {each["source"] for each in contract["inputs"]}
        for index, (op, (inputs, outputs)) in enumerate(zip(every, wiring)):
            if index in told["cut"] or (not inputs and fed.intersection(outputs)):
                continue
            for field in ("input", "output", "device_option", "engine", "control_input"):
                op.ClearField(field)
            op.input.extend(inputs)
            op.output.extend(outputs)
            if inputs:
                running.op.extend(_known(op))
                self._made.extend(outputs)
            else:
                filling.op.add().CopyFrom(op)
        workspace.SwitchWorkspace("dlpipe", True)
        workspace.ResetWorkspace()
        workspace.RunNetOnce(filling)
        for each in contract["inputs"]:
            workspace.CreateBlob(each["source"])
        workspace.CreateNet(running)

    def _feed(self, feeds: executing.Arrays) -> None:
        for name, array in feeds.items():
            self._workspace.FeedBlob(self._sources[name], array)
        self._workspace.RunNet("running")

    def run(self, feeds: executing.Arrays) -> executing.Arrays:
        self._feed(feeds)
        return {name: self._fetch(source) for name, source in self._sources.items() if name not in feeds}

    def layers(self, feeds: executing.Arrays) -> executing.Arrays:
        self._feed(feeds)
        found = {}
        for name in self._made:
            array = self._fetch(name)
            if getattr(array, "dtype", None) is not None and array.dtype.kind in "fiub":
                found[name] = array
        return found

    def _fetch(self, name: str) -> Any:
        """A blob as an array; 8-bit ones, which do not come out by themselves, dequantised."""
        found = self._workspace.FetchBlob(name)
        if isinstance(found, bytes) and b"Int8Tensor" in found:
            self._workspace.RunOperatorOnce(self._core.CreateOperator("Int8Dequantize", [name], ["dequantised"]))
            return self._workspace.FetchBlob("dequantised")
        return found


def _known(op: Any) -> List[Any]:
    """What later Caffe2s know and this one does not, in operators of this one."""
    if op.type == "BatchPermutation":
        op.type = "Gather"
    return _with_padding(op)


def _with_padding(op: Any) -> List[Any]:
    """An average that counts padding as an argument: zeros are put there."""
    given = {each.name: each for each in op.arg}
    if op.type not in ("AveragePool", "AveragePool2D") or not (
        "count_include_pad" in given and given["count_include_pad"].i
    ):
        return [op]
    from caffe2.python import core

    single = given["pad"].i if "pad" in given else 0
    top, left, bottom, right = (
        list(given["pads"].ints)
        if "pads" in given
        else [given["pad_" + side].i if "pad_" + side in given else single for side in "tlbr"]
    )
    order = given["order"].s.decode() if "order" in given else "NCHW"
    padded = op.input[0] + "@padded"
    pad = core.CreateOperator(
        "PadImage", [op.input[0]], [padded], pad_t=top, pad_l=left, pad_b=bottom, pad_r=right, order=order
    )
    pool = type(op)()
    pool.CopyFrom(op)
    pool.input[0] = padded
    kept = [each for each in op.arg if not each.name.startswith("pad")]
    del pool.arg[:]
    pool.arg.extend(kept)
    return [pad, pool]


def _read(path: Path, message: Any) -> Any:
    from google.protobuf import text_format
    from google.protobuf.message import DecodeError

    data = path.read_bytes()
    try:
        message.ParseFromString(data)
    except DecodeError:
        text_format.Merge(data.decode("utf-8"), message)
    if not message.op:
        raise Refused("{} holds no operators".format(path.name))
    return message
