"""PaddlePaddle: .pdmodel or .json (PIR) with its .pdiparams; `__model__` with `__params__` or a file for each weight.

Converted by paddle2onnx at opset 18, executed by Paddle itself. An old program is completed with the defaults of
attributes that its version did not have yet, then translated to Paddle 3's form.

Limits: paddle2onnx makes no valid model of SimpleRNN, and gives the last states of only one layer of a stacked LSTM:
both are refused.
Free dims stay free; where nobody says otherwise, generated inputs have 64 in the height and width of an image, and 8
in others.
"""

from __future__ import annotations

from pathlib import Path

from dlpipe.frontends.room import RoomFrontend


class PaddleFrontend(RoomFrontend):
    name = "paddle"
    formats = ("paddle/program", "paddle/json")
    toolchain = "paddle"
    room = Path(__file__).parent
