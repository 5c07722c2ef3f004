"""Options that several commands share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[str, typer.Argument(help="A file, a folder, zoo:NAME, or framework:PATH to force a frontend.")]
Targets = Annotated[list[str], typer.Option("--target", "-t", help="Where it shall run; may be given more than once.")]
Backends = Annotated[
    list[str] | None, typer.Option("--backend", "-b", help="Which compiler or runtime; 'all' for every one that can.")
]
Precision = Annotated[
    str, typer.Option(help="auto, fp32, fp16, bf16, int16, int8 or int4; auto is all that suit but bf16 and int4.")
]
Fallback = Annotated[
    str | None,
    typer.Option(
        "--allow-fallback",
        metavar="BACKEND",
        help="What a backend cannot do is cut out and left to this one, e.g. onnxruntime: an artefact in parts.",
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        help="Labelled data: a WAV or image folder with one folder per class, .npz (x, y), IDX, CSV, TFRecord, "
        "RecordIO, LMDB, Parquet. Labels are classes, numbers, texts, boxes (COCO), or arrays such as masks."
    ),
]
TrainData = Annotated[
    str | None,
    typer.Option(
        help="What is trained and calibrated on. By default training takes a part of --data that is not measured on, "
        "calibration some of what is."
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        help="What the labels are judged by: top-1, top-5, f1-macro, auc, rmse, mae, rul-score, miou, iou, psnr, ssim, "
        "perplexity, recall@10, map@10, wer, cer, bleu, map ...; by default what suits them. Settings follow a comma: "
        "f1-binary,positive=2. Or your own: MODULE:FUNCTION or FILE.py:FUNCTION,better=lower."
    ),
]
Requirements = Annotated[
    Path | None, typer.Option(help="Packages of a --metric of your own, one a line; it runs in a toolchain with them.")
]
Labels = Annotated[Path | None, typer.Option(help="Class names, one a line, in the order of the outputs.")]
Recipes = Annotated[
    list[str] | None,
    typer.Option("--recipe", help="A chain of passes: a name of `dlpipe recipe list`, or your FILE.toml."),
]
MaxAccuracyDrop = Annotated[str | None, typer.Option(help="In points of the metric, e.g. 0.5%.")]
MaxLatency = Annotated[str | None, typer.Option(help="Median on the target, e.g. 10ms.")]
MaxSize = Annotated[str | None, typer.Option(help="Of the artefact, e.g. 2MB.")]
MaxMemory = Annotated[str | None, typer.Option(help="Peak while running, e.g. 64MB.")]
MinSpeedup = Annotated[str | None, typer.Option(help="Against the original, e.g. 1.2.")]
RequireVerified = Annotated[bool, typer.Option(help="Exit 3 when a result could not be verified.")]
GateConfidence = Annotated[
    str | None, typer.Option(help="95%: the interval's bad end decides, not the point estimate.")
]
Inputs = Annotated[
    list[str] | None, typer.Option("--input", help="name:1x224x224x3[:dtype], where the file does not tell.")
]
Outputs = Annotated[list[str] | None, typer.Option("--output", help="Name of an output, where the file does not tell.")]
Shapes = Annotated[list[str] | None, typer.Option("--shape", help="dim=value for a symbolic dim.")]
UnsafeLoad = Annotated[
    bool, typer.Option("--unsafe-load", help="Allow formats that execute code when they are read, such as pickles.")
]
Factory = Annotated[
    str | None,
    typer.Option(metavar="MODULE:FUNCTION", help="Your Python code that builds the network; FILE.py:FUNCTION too."),
]
Preprocess = Annotated[
    str | None,
    typer.Option(
        metavar="STEPS",
        help="How pictures become the input, where the model does not carry it: bgr,resize=256,fit=cover,crop=224,"
        "filter=bicubic,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225; or a preprocessor_config.json.",
    ),
]
Route = Annotated[
    str | None,
    typer.Option(help="Insist on one of the frontend's converters; by default the next is tried where one is wrong."),
]
Reference = Annotated[
    Path | None,
    typer.Option(help="Inputs and outputs of the original (.npz), where no framework is to run it."),
]
Tune = Annotated[
    str | None,
    typer.Option(
        help="Search for faster code on this machine (TVM), at most so long for each target: 90s, 10min, 2h. What is "
        "found serves later models too; interrupted, the same command goes on where it stood."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Output folder. Another result that lies there is kept as FOLDER.previous."),
]
OnnxOut = Annotated[
    Path,
    typer.Option("--out", "-o", help="The ONNX file to write, NAME.onnx; NAME.contract.json goes beside it."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data instead of text.")]
Offline = Annotated[bool, typer.Option("--offline", envvar="DLPIPE_OFFLINE", help="Never download anything.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show notes and the tools' log lines.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="How many stages at once; default: the number of cores.")]
Executor = Annotated[
    str,
    typer.Option(
        metavar="local|ray[://HOST:PORT]",
        help="Where stages are computed: here, or on a Ray cluster of which this machine is a node; without an "
        "address, that of RAY_ADDRESS or of this machine. What depends on a machine, such as timing, stays on it.",
    ),
]
Lang = Annotated[str, typer.Option(help="en or zh: of what dlpipe itself says, in HTML, scorecard and text.")]
NoColor = Annotated[bool, typer.Option("--no-color", envvar="NO_COLOR", help="Plain text.")]
