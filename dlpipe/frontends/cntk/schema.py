"""The messages of a CNTK version 2 model file: field numbers and types as CNTK's public CNTK.proto has them."""

from __future__ import annotations

from ..kit.protobuf import Schema, classes

_SCHEMA: Schema = {
    "NDShape": {"shape_dim": (1, "uint64[]")},
    "Axis": {"static_axis_idx": (1, "int32"), "name": (2, "string"), "is_ordered_dynamic_axis": (3, "bool")},
    "FloatValues": {"value": (1, "float[]")},
    "DoubleValues": {"value": (1, "double[]")},
    "BytesValue": {"value": (1, "bytes")},
    "IntValues": {"value": (1, "sint32[]")},
    "NDArrayView": {
        "data_type": (1, "int32"),
        "storage_format": (2, "int32"),
        "shape": (3, "NDShape"),
        "float_values": (4, "FloatValues"),
        "double_values": (5, "DoubleValues"),
        "bytes_value": (6, "BytesValue"),
        "sint32_values": (7, "IntValues"),
    },
    "Vector": {"value": (1, "DictionaryValue*")},
    "Entry": {"key": (1, "string"), "value": (2, "DictionaryValue")},
    "Dictionary": {"version": (1, "uint64"), "data": (2, "Entry*")},
    "DictionaryValue": {
        "version": (1, "uint64"),
        "value_type": (2, "int32"),
        "bool_value": (3, "bool"),
        "int_value": (4, "int32"),
        "size_t_value": (5, "uint64"),
        "float_value": (6, "float"),
        "double_value": (7, "double"),
        "string_value": (8, "string"),
        "nd_shape_value": (9, "NDShape"),
        "axis_value": (10, "Axis"),
        "vector_value": (11, "Vector"),
        "dictionary_value": (12, "Dictionary"),
        "nd_array_view_value": (13, "NDArrayView"),
    },
}

Dictionary = classes(_SCHEMA, "cntk")["Dictionary"]
