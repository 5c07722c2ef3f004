"""Is what the store holds what it says it is? Nothing is believed because of its name."""

from __future__ import annotations

from collections.abc import Iterator

from dlpipe.pipeline.store.objects import Objects, State
from dlpipe.pipeline.store.values import Problem, Record, Tree


def inspect_tree(objects: Objects, digest: str, *, thorough: bool = False) -> tuple[Tree | None, list[Problem]]:
    """The tree, when nothing is wrong with its manifest; and what is wrong with it or with its objects."""
    try:
        tree = objects.read_tree(digest)
    except FileNotFoundError:
        return None, [Problem("tree", digest, "missing")]
    except (ValueError, OSError) as error:
        return None, [Problem("tree", digest, str(error))]
    problems = [
        Problem("object", sha256, state)
        for sha256, size in {file.sha256: file.size for file in tree.files}.items()
        if (state := objects.state(sha256, size, thorough=thorough)) != "intact"
    ]
    if problems:
        problems.append(Problem("tree", digest, f"{len(problems)} of its objects are missing or damaged"))
    return tree, problems


def inspect_record(objects: Objects, key: str, *, thorough: bool = False) -> tuple[Record | None, list[Problem]]:
    """The record, when nothing is wrong with it itself; and what is wrong with it or with what it names.

    No record and no problem: there is none under this key.
    """
    try:
        record = Record.load(objects.record_path(key).read_bytes(), key)
    except FileNotFoundError:
        return None, []
    except (ValueError, OSError) as error:
        return None, [Problem("record", key, str(error))]
    problems: list[Problem] = []
    if record.output is not None:
        problems += inspect_tree(objects, record.output, thorough=thorough)[1]
    if record.log is not None and (state := objects.state(record.log, thorough=thorough)) != "intact":
        problems.append(Problem("object", record.log, state))
    if problems:
        problems.append(Problem("record", key, "what it names is missing or damaged"))
    return record, problems


def verify(objects: Objects) -> list[Problem]:
    """Hash every object once, and check every manifest and record against them."""
    states: dict[str, State] = {sha256: objects.state(sha256, thorough=True) for sha256 in objects.all_objects()}
    found = [Problem("object", sha256, state) for sha256, state in states.items() if state != "intact"]
    bad_trees: set[str] = set()
    good_trees: set[str] = set()
    for digest in objects.all_trees():
        reason = _tree_fault(objects, digest, states)
        (bad_trees if reason else good_trees).add(digest)
        if reason:
            found.append(Problem("tree", digest, reason))
    for key in objects.all_records():
        record, problems = _load(objects, key)
        found += problems
        if record is None:
            continue
        if record.output is not None and record.output not in good_trees:
            found.append(
                Problem("record", key, f"its output is {'damaged' if record.output in bad_trees else 'missing'}")
            )
        elif record.log is not None and states.get(record.log) != "intact":
            found.append(Problem("record", key, "its log is missing or damaged"))
    return found


def readable_records(objects: Objects) -> Iterator[Record]:
    for key in objects.all_records():
        record, _ = _load(objects, key)
        if record is not None:
            yield record


def _load(objects: Objects, key: str) -> tuple[Record | None, list[Problem]]:
    try:
        return Record.load(objects.record_path(key).read_bytes(), key), []
    except FileNotFoundError:
        return None, []
    except (ValueError, OSError) as error:
        return None, [Problem("record", key, str(error))]


def _tree_fault(objects: Objects, digest: str, states: dict[str, State]) -> str | None:
    try:
        tree = objects.read_tree(digest)
    except (ValueError, OSError) as error:
        return str(error)
    bad = [file.name for file in tree.files if states.get(file.sha256) != "intact"]
    return f"missing or damaged: {', '.join(bad[:3])}" if bad else None
