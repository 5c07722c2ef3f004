"""Event files for TensorBoard. The bytes follow from the input alone: no clock, no host name."""

import json
import math
import re
from pathlib import Path
from typing import Any

from dlpipe_worker import Request, operation
from tensorboardX.proto import event_pb2, graph_pb2, summary_pb2, versions_pb2
from tensorboardX.record_writer import RecordWriter


@operation
def write(request: Request) -> dict[str, Any]:
    """log (log.json, see report/log.py) -> a folder for each of its runs."""
    log = json.loads((Path(request.inputs["log"]) / "log.json").read_text(encoding="utf-8"))
    for name, run in log["runs"].items():
        _write(Path(request.out) / _path(name), run, log["created"])
    return {"runs": len(log["runs"])}


def _write(folder: Path, run: dict[str, Any], created: float) -> None:
    folder.mkdir(parents=True)
    writer = RecordWriter(str(folder / f"events.out.tfevents.{int(created)}.dlpipe"))
    events = [event_pb2.Event(wall_time=created, file_version="brain.Event:2")]
    if run["graph"]:
        events.append(event_pb2.Event(wall_time=created, graph_def=_graph(run["graph"]).SerializeToString()))
    for each in run["scalars"]:
        value = summary_pb2.Summary.Value(tag=each["tag"], simple_value=each["value"])
        events.append(_event(created, each["step"], value))
    for each in run["histograms"]:
        value = summary_pb2.Summary.Value(tag=each["tag"], histo=_histogram(each))
        events.append(_event(created, each["step"], value))
    for event in events:
        writer.write(event.SerializeToString())
    writer.close()


def _event(created: float, step: int, value: Any) -> Any:
    return event_pb2.Event(wall_time=created, step=step, summary=summary_pb2.Summary(value=[value]))


def _histogram(given: dict[str, Any]) -> Any:
    """Buckets by their right ends. The first is empty: TensorBoard takes its own left end for the first bucket's."""
    count, low, high = sum(given["counts"]), given["low"], given["high"]
    width = ((high - low) or 1.0) / len(given["counts"])
    return summary_pb2.HistogramProto(
        min=low,
        max=high,
        num=count,
        sum=given["mean"] * count,
        sum_squares=(given["std"] ** 2 + given["mean"] ** 2) * count,
        bucket_limit=[low, *(math.nextafter(low + width * (i + 1), math.inf) for i in range(len(given["counts"])))],
        bucket=[0, *given["counts"]],
    )


def _graph(nodes: list[dict[str, Any]]) -> Any:
    """Names of layers become scopes at their slashes; what TensorFlow allows in no name is replaced."""
    names: list[str] = []
    taken: set[str] = set()
    for node in nodes:
        name = base = re.sub(r"[^A-Za-z0-9_./\\-]", "_", node["name"]).strip("/") or "node"
        number = 1
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        names.append(name)
    graph = graph_pb2.GraphDef(versions=versions_pb2.VersionDef(producer=22))
    for name, node in zip(names, nodes, strict=True):
        graph.node.add(name=name, op=node["op"], input=[names[index] for index in node["after"]])
    return graph


def _path(name: str) -> str:
    """A relative path, whatever a model or target is called."""
    parts = (re.sub(r"[^A-Za-z0-9_.-]", "_", part).lstrip(".") or "_" for part in name.split("/"))
    return "/".join(parts)
