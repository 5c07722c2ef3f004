"""A program of Paddle 2 as Paddle 1 wrote it: a file for each of its weights. apart.py MODEL.pdmodel OUT."""

import shutil
import sys
from pathlib import Path

import paddle
from paddle.static import io

model, out = map(Path, sys.argv[1:])
paddle.enable_static()
with paddle.pir_utils.OldIrGuard():
    executor = paddle.static.Executor(paddle.CPUPlace())
    program, _, _ = paddle.static.load_inference_model(str(model.with_suffix("")), executor)
    io.save_vars(executor, str(out), program, predicate=io.is_persistable)
shutil.copy(model, out / "__model__")
