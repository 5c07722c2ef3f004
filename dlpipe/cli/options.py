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
Precision = Annotated[str, typer.Option(help="auto, fp32, fp16 or int8. auto tries all that the backend has.")]
Data = Annotated[
    str | None,
    typer.Option(
        help="Labelled data: a WAV or image folder with one folder per class, .npz (x, y), IDX, CSV, TFRecord, "
        "RecordIO, LMDB, Parquet."
    ),
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
Route = Annotated[
    str | None,
    typer.Option(help="Insist on one of the frontend's converters; by default the next is tried where one is wrong."),
]
Reference = Annotated[
    Path | None,
    typer.Option(help="Inputs and outputs of the original (.npz), where no framework is to run it."),
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
NoColor = Annotated[bool, typer.Option("--no-color", envvar="NO_COLOR", help="Plain text.")]
