"""Which ONNX operators OpenVINO's frontend knows. It has no list to ask for, so it is given a model of each."""

import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import openvino

_FLOAT = 1


def imported(operators: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """domain -> those of its operators that there is a conversion for, sorted."""
    core, newest = openvino.Core(), opset()
    core.read_model(io.BytesIO(_model("", "Relu", newest)))  # loads the frontend, once for all
    return {
        domain: sorted(name for name in names if _is_known(core, domain, name, newest))
        for domain, names in sorted(operators.items())
    }


def opset() -> int:
    """The newest that it knows: its copy of ONNX has a table of each."""
    library = next(Path(openvino.__file__).parent.glob("libs/libopenvino_onnx_frontend.so*"))
    return max(int(found) for found in re.findall(rb"OpSet_Onnx_ver(\d+)E", library.read_bytes()))


def _is_known(core: openvino.Core, domain: str, name: str, newest: int) -> bool:
    """A node with one input will not do for most operators: that is another complaint, or the end of the process, and
    either comes from the operator's own conversion."""
    child = os.fork()
    if child == 0:
        os._exit(_says_lacking(core, _model(domain, name, newest)))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 1


def _says_lacking(core: openvino.Core, model: bytes) -> int:
    try:
        core.read_model(io.BytesIO(model))
    except RuntimeError as error:
        return int("No conversion rule found" in str(error))
    except BaseException:  # noqa: BLE001 - in a child, which must end here
        return 2
    return 0


def _model(domain: str, name: str, newest: int) -> bytes:
    """ModelProto of ir_version, graph and opset_import; field numbers as in onnx.proto."""
    node = _bytes(1, "x") + _bytes(2, "y") + _bytes(3, "n") + _bytes(4, name) + _bytes(7, domain)
    graph = _bytes(1, node) + _bytes(2, "g") + _bytes(11, _port("x")) + _bytes(12, _port("y"))
    opsets = [("", newest), *([(domain, 1)] if domain else [])]
    imports = b"".join(_bytes(8, _bytes(1, each) + _number(2, version)) for each, version in opsets)
    return _number(1, 8) + _bytes(7, graph) + imports


def _port(name: str) -> bytes:
    """ValueInfoProto of a float vector."""
    shape = _bytes(1, _number(1, 2))
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, _FLOAT) + _bytes(2, shape)))


def _bytes(field: int, content: bytes | str) -> bytes:
    plain = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(plain)) + plain


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
