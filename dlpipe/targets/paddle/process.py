"""x2paddle in a process of its own, one for each model: it keeps state. Called `process.py MODEL.onnx FOLDER`.

What it makes is called once, with zeros: Paddle Inference does not take everything that x2paddle writes.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from paddle import inference
from x2paddle.decoder.onnx_decoder import ONNXDecoder
from x2paddle.op_mapper.onnx2paddle.onnx_op_mapper import ONNXOpMapper
from x2paddle.optimizer.optimizer import GraphOptimizer


def main(model: str, folder: str) -> None:
    """These, and not `x2paddle.convert`, which reports its use to a server."""
    mapper = ONNXOpMapper(ONNXDecoder(model, False, None))
    mapper.paddle_graph.build()
    GraphOptimizer(source_frame="onnx").optimize(mapper.paddle_graph)
    mapper.paddle_graph.gen_model(folder)
    _prove(Path(folder, "inference_model"), onnx.load_model(model).graph)


def _prove(made: Path, graph: onnx.GraphProto) -> None:
    weights = made / "model.pdiparams"
    config = inference.Config(str(made / "model.json"), str(weights) if weights.is_file() else "")
    config.disable_gpu()
    config.disable_glog_info()
    config.set_cpu_math_library_num_threads(1)
    engine = inference.create_predictor(config)
    stored = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        if value.name not in stored:
            kind = value.type.tensor_type
            dims = [dim.dim_value for dim in kind.shape.dim]
            zeros = np.zeros(dims, onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
            engine.get_input_handle("x2paddle_" + value.name).copy_from_cpu(zeros)
    engine.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
