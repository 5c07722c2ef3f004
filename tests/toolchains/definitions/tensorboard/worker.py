"""What TensorBoard, or VisualDL, reads of a folder of logs."""

from pathlib import Path
from typing import Any

from dlpipe_worker import Request, operation


@operation
def read(request: Request) -> dict[str, Any]:
    """logs -> run -> its scalars, the counts of its histograms, the names and inputs of its graph's nodes."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    root = Path(request.inputs["logs"])
    found = {}
    for file in sorted(root.rglob("*tfevents*")):
        events = EventAccumulator(str(file.parent))
        events.Reload()
        tags = events.Tags()
        graph = events.Graph().node if tags["graph"] else ()
        found[file.parent.relative_to(root).as_posix()] = {
            "scalars": {tag: [[each.step, each.value] for each in events.Scalars(tag)] for tag in tags["scalars"]},
            "histograms": {
                tag: list(events.Histograms(tag)[0].histogram_value.bucket) for tag in tags["histograms"]
            },
            "graph": {node.name: list(node.input) for node in graph},
        }  # fmt: skip
    return found


@operation
def read_visualdl(request: Request) -> dict[str, Any]:
    """logs -> run -> its scalars, and the counts of its histograms."""
    from visualdl import LogReader

    root = Path(request.inputs["logs"])
    found = {}
    for file in sorted(root.rglob("vdlrecords*")):
        reader = LogReader(file_path=str(file))
        tags = reader.get_tags()
        found[file.parent.relative_to(root).as_posix()] = {
            "scalars": {
                tag: [[each.id, each.value] for each in reader.get_data("scalar", tag)]
                for tag in tags.get("scalar", ())
            },
            "histograms": {
                tag: list(reader.get_data("histogram", tag)[0].histogram.hist) for tag in tags.get("histogram", ())
            },
        }
    return found
