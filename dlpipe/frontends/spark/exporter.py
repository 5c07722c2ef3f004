"""onnxmltools' converter for Spark: the second route. It is known to finish with wrong numbers for GBTRegressor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request

from ..kit import emit, ports
from .original import session


def import_model(request: Request) -> dict[str, Any]:
    """Columns are one value wide, of float32, unless the user says otherwise."""
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType
    from pyspark.ml import PipelineModel

    folder = Path(request.inputs["source"], request.params["entry"])
    spark = session()
    model = PipelineModel.load(str(folder))
    produced: set[str] = set()
    wanted: dict[str, int] = {}
    for stage in model.stages:
        for param in ("inputCol", "inputCols", "featuresCol"):
            if stage.hasParam(param) and stage.isDefined(param):
                value = stage.getOrDefault(param)
                for name in [value] if isinstance(value, str) else value:
                    if name not in produced:
                        wanted.setdefault(name, 1)
        for param in ("outputCol", "outputCols", "predictionCol", "probabilityCol"):
            if stage.hasParam(param) and stage.isDefined(param):
                value = stage.getOrDefault(param)
                produced.update([value] if isinstance(value, str) else value)
    initial = [(name, FloatTensorType([None, width])) for name, width in wanted.items()]
    try:
        proto = onnxmltools.convert_sparkml(model, "pipeline", initial, spark_session=spark, target_opset=15)
    except Exception as error:  # it raises whatever a stage's converter does
        what = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        raise Refused(f"onnxmltools cannot convert the pipeline: {what}", kind="unsupported") from error
    last = model.stages[-1]
    outputs = [name for name in ("prediction", "probability") if name in {each.name for each in proto.graph.output}]
    del proto.graph.output[:]
    told_in = [ports.port(name, "float32", [ports.BATCH, width]) for name, width in wanted.items()]
    told_out = []
    for name in outputs:
        width = [] if name == "prediction" else [int(last.numClasses)]
        told_out.append(ports.port(name, "float32", [ports.BATCH, *width]))
    _finish(proto, told_in, told_out)
    emit.write(proto, Path(request.out, "model.onnx"))
    return ports.write_contract(request.out, told_in, told_out)


def _finish(proto: Any, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> None:
    """The outputs as the own route has them: floats, predictions without a second axis."""
    from onnx import TensorProto, helper

    del proto.graph.input[:], proto.graph.value_info[:]
    for port in inputs:
        proto.graph.input.append(helper.make_tensor_value_info(port["name"], TensorProto.FLOAT, port["shape"]))
    for port in outputs:
        name = port["name"]
        for node in proto.graph.node:
            node.input[:] = [f"{each}_raw" if each == name else each for each in node.input]
            node.output[:] = [f"{each}_raw" if each == name else each for each in node.output]
        proto.graph.node.append(helper.make_node("Cast", [f"{name}_raw"], [f"{name}_float"], to=TensorProto.FLOAT))
        shape = [-1, *(dim for dim in port["shape"][1:])]
        proto.graph.initializer.append(helper.make_tensor(f"{name}_shape", TensorProto.INT64, [len(shape)], shape))
        proto.graph.node.append(helper.make_node("Reshape", [f"{name}_float", f"{name}_shape"], [name]))
        proto.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, port["shape"]))
    opsets = {each.domain: each.version for each in proto.opset_import}
    opsets.setdefault("", 15)
    del proto.opset_import[:]
    proto.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in sorted(opsets.items()))
    proto.ir_version = emit.IR_VERSION
