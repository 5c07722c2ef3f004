"""Caffe2's messages (NetDef and what is in it): field numbers and types as its public caffe2.proto has them."""

from __future__ import annotations

from ..kit.protobuf import Schema, classes

_SCHEMA: Schema = {
    "Argument": {
        "name": (1, "string"),
        "f": (2, "float"),
        "i": (3, "int64"),
        "s": (4, "bytes"),
        "floats": (5, "float[]"),
        "ints": (6, "int64*"),
        "strings": (7, "bytes*"),
        "n": (8, "NetDef"),
        "nets": (9, "NetDef*"),
    },
    "DeviceOption": {
        "device_type": (1, "int32"),
        "cuda_gpu_id": (2, "int32"),
        "random_seed": (3, "uint32"),
        "node_name": (4, "string"),
        "numa_node_id": (5, "int32"),
        "extra_info": (6, "string*"),
        "hip_gpu_id": (7, "int32"),
    },
    "OperatorDef": {
        "input": (1, "string*"),
        "output": (2, "string*"),
        "name": (3, "string"),
        "type": (4, "string"),
        "arg": (5, "Argument*"),
        "device_option": (6, "DeviceOption"),
        "engine": (7, "string"),
        "control_input": (8, "string*"),
        "is_gradient_op": (9, "bool"),
        "debug_info": (10, "string"),
        "domain": (11, "string"),
        "op_version": (12, "int64"),
    },
    "NetDef": {
        "name": (1, "string"),
        "op": (2, "OperatorDef*"),
        "type": (3, "string"),
        "num_workers": (4, "int32"),
        "device_option": (5, "DeviceOption"),
        "arg": (6, "Argument*"),
        "external_input": (7, "string*"),
        "external_output": (8, "string*"),
    },
}

NetDef = classes(_SCHEMA, "caffe2")["NetDef"]
