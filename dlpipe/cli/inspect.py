"""`dlpipe inspect`: what a model is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dlpipe.cli import options as opt


def register(app: typer.Typer) -> None:
    app.command("inspect")(inspect)


def inspect(
    model: opt.Model,
    shallow: Annotated[bool, typer.Option(help="Only read the file; start no framework.")] = False,
    input_: opt.Inputs = None,
    shape: opt.Shapes = None,
    unsafe_load: opt.UnsafeLoad = False,
    factory: opt.Factory = None,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
) -> None:
    """Show framework, format, inputs, outputs, operators, parameters, MACs and risks.

    \b
    Examples:
      dlpipe inspect model.pb
      dlpipe inspect saved_model/ --shallow --json
    """
    from dataclasses import asdict

    from dlpipe.cli.output import print_json, print_table
    from dlpipe.cli.progress import Progress
    from dlpipe.pipeline.imported import import_model, sniff
    from dlpipe.pipeline.request import import_options
    from dlpipe.pipeline.session import Session

    options = import_options(input_, None, shape, unsafe_load, factory)
    with (
        Progress(quiet=as_json, verbose=verbose) as progress,
        Session(offline=offline, listeners=[progress]) as session,
    ):
        found: dict[str, Any] = {}
        if shallow:
            source, sniffed, frontend = sniff(session, model)
        else:
            imported = import_model(session, model, options)
            source, sniffed, frontend = imported.source, imported.sniffed, imported.frontend
            found["inputs"] = [port.model_dump() for port in imported.contract.inputs]
            found["outputs"] = [port.model_dump() for port in imported.contract.outputs]
            found["preprocessing"] = [each.summary for each in imported.contract.preprocessing]
            found |= {key: imported.description.get(key) for key in ("opset", "parameters", "macs")}
            found["onnx_operators"] = imported.description.get("operators")
    found = {  # what every model has comes first
        "path": str(source.path),
        "sha256": source.sha256,
        "size_bytes": source.size_bytes,
        **asdict(sniffed),
        "frontend": frontend.name,
        **found,
    }
    if as_json:
        print_json(found)
        return
    own: dict[str, int] = found.pop("operators")
    operators: dict[str, int] = own or found.get("onnx_operators") or {}  # some formats keep theirs to the framework
    found.pop("onnx_operators", None)
    rows = [(key, _text(value)) for key, value in found.items() if value not in (None, (), [], "")]
    print_table(("", ""), rows)
    if operators:
        most_first = sorted(operators.items(), key=_most_first)
        print_table(("operator" if own else "ONNX operator", "count"), most_first)


def _most_first(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "\n".join(_text(each) for each in value)
    if isinstance(value, dict) and "shape" in value:
        return f"{value['name']} {value['dtype']} {list(value['shape'])}"
    return f"{value:,}" if isinstance(value, int) else str(value)
