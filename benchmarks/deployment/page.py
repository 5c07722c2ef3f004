"""docs/targets.md from the figures of targets_table.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import ascii_uppercase
from typing import Any

from dlpipe.contracts.backend import Target
from dlpipe.targets.registry import backends

HEAD = """# Targets: what was built, where it ran, and what came of it

Made by `python benchmarks/targets_table.py`: each model was converted for each target with every backend that the
target has, and what could be executed here was compared with the original in its own framework. Verdicts are those
of `dlpipe convert`: *passed* ran and agrees, *failed* ran and departs or could not be made, *unverified* could not
be run here, or was ruled out before it was tried.

- **ran on**: `native` is this machine (x86-64); `qemu-*` an emulator, whose speed says nothing; `simulator:*` and
  `vulkan:*` a simulator or software device; `none` nothing here can execute it.
- **error**: the largest difference to the original in units of the output's range; for int8 the cosine of the outputs.
- **times ORT**: median latency over that of ONNX Runtime's artefact of the same precision in the same interleaved run,
  one thread each; only where the artefact ran on its own hardware. `~` before what dlpipe called too noisy to say.
- **cold / warm start**: a fresh process from its start to its first answer, runtime included.
- **by**: the machine of the table *Machines* and, where it was recorded, how many processes wanted one of its CPUs
  before and behind the run (load average). Rows of one target and precision come from one run; compare no times of
  others.

No run was given `--tune`: TVM's loops are arranged by its fixed rules. The other compilers are as `dlpipe convert` sets
them: one thread, OpenVINO in the precision of the row.

Which device computed is proved, or the row is no pass. ONNX Runtime: the providers of the session; for Hexagon the CPU
is locked out (`session.disable_cpu_ep_fallback`), and the session's one node is the NPU's context. RKNN: the simulator
builds the model again, and the artefact has to be the same bytes. ncnn on Vulkan: the device's name, and how many
layers have a shader; none is an error. TVM on OpenCL: the kernels are all that there is. LiteRT, ExecuTorch, OpenVINO,
MNN, OpenCV: what the runtime itself says of its delegates, devices or engine.
"""
MISSING = """## What no row shows

- **TVM on armv7 and riscv64**: code for them is generated, and nothing can call it. apache-tvm and apache-tvm-ffi have
  packages for x86-64 and arm64 Linux and no source distribution; the sources of the runtime that lie in their wheels
  lack headers that they include (`tvm/support/io.h`, `tvm/support/serializer.h`).
- **ONNX Runtime on armv7, LiteRT on riscv64**: there is no package. On riscv64 ONNX Runtime is Debian's, on armv7
  LiteRT is TensorFlow Lite 2.14.
- **MNN, OpenCV, ExecuTorch and Paddle on armv7 and riscv64**: dlpipe has no package of theirs for these processors.
  `pip download` finds no wheel of MNN, OpenCV or Paddle (manylinux2014 on armv7, manylinux 2.31 on riscv64).
- **Fmax on ECP5**: place-and-route takes minutes to an hour there, and is done where a target asks for it
  (`options.da4ml.place_and_route_seconds`); the row of iCE40 has been through nextpnr. For Xilinx 7 the vendor's tools
  would be needed, and hls4ml's resources, clock and latency are worked out by Vitis, which is not here.
- **The same bytes twice**: a test for each backend compares what it makes twice of the same inputs, byte by byte.
  TensorRT has none: it times its kernels while it builds, and may choose others each time. `atc` was never at hand.
- **A GPU's own runs** (TensorRT, TensorRT for RTX, TVM and ONNX Runtime on CUDA) need one: no machine of this page has.
"""
_OWN = ("intensity", "roofline")  # estimated by dlpipe, not by the tool
_RANK = {"passed": 0, "failed": 1, "unverified": 2}


def render(found: Mapping[str, Any], titles: Mapping[str, str], targets: Mapping[str, Target]) -> str:
    """found: "model/target/precision" -> {"artifacts"} or {"reason"}."""
    letters = _letters(found)
    lines = [HEAD, *_machines(found, letters), "", *_summary(found), "", *_targets(targets), "", MISSING]
    for model, title in titles.items():
        mine = {key: each for key, each in found.items() if key.split("/")[0] == model}
        if not mine:
            continue
        lines += [f"## {title}", "", *_table(mine, letters), ""]
    return "\n".join(lines).rstrip() + "\n"


def _letters(found: Mapping[str, Any]) -> dict[str, str]:
    """Machine -> the letter that rows call it by; the first to have worked on the page is A."""
    seen = sorted((run["created"], run["machine"]) for run in found.values())
    return dict(zip(dict.fromkeys(machine for _, machine in seen), ascii_uppercase, strict=False))


def _machines(found: Mapping[str, Any], letters: Mapping[str, str]) -> Iterator[str]:
    yield "## Machines"
    yield ""
    yield "| | machine | runs | days | load average |"
    yield "|---|---|---|---|---|"
    for machine, letter in letters.items():
        mine = [run for run in found.values() if run["machine"] == machine]
        days = sorted({run["created"][:10] for run in mine})
        loads = [each for run in mine for each in run["load"] or ()]
        load = f"{min(loads)} to {max(loads)}" if loads else "not recorded"
        yield f"| {letter} | {_cell(machine)} | {len(mine)} | {', '.join(days)} | {load} |"


def _rows(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for each in found.values():
        yield from each.get("artifacts", ())


def _summary(found: Mapping[str, Any]) -> Iterator[str]:
    """Backends: how many artefacts passed, and where; or why none did."""
    yield "## Backends"
    yield ""
    yield "| backend | what it is | passed | ran on | where none passed |"
    yield "|---|---|---|---|---|"
    for name, tool in backends().items():
        mine = sorted((row for row in _rows(found) if row["backend"] == name), key=lambda row: _RANK[row["verdict"]])
        passed = [row for row in mine if row["verdict"] == "passed"]
        places = ", ".join(sorted({row["ran_on"] for row in passed}))
        why = "" if passed else _short(mine[0]["reason"]) if mine else "no run of this page is for it"
        yield f"| {name} | {_cell(tool.summary)} | {len(passed)} of {len(mine)} | {places} | {_cell(why)} |"


def _targets(targets: Mapping[str, Target]) -> Iterator[str]:
    yield "## Targets"
    yield ""
    yield "| target | kind | executed here | backends | what it is |"
    yield "|---|---|---|---|---|"
    for name, each in targets.items():
        yield f"| {name} | {each.kind} | {each.runner} | {', '.join(each.backends)} | {_cell(each.summary)} |"


def _table(mine: Mapping[str, Any], letters: Mapping[str, str]) -> Iterator[str]:
    yield "| target | backend | verdict | ran on | error | loss | size | times ORT | cold / warm start | by | |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for key, run in mine.items():
        _, target, precision = key.split("/")
        by = letters[run["machine"]]
        by += " {}-{}".format(*run["load"]) if run["load"] else ""
        if "reason" in run:
            yield f"| {target} | all, {precision} | - | | | | | | | {by} | {_cell(run['reason'])} |"
            continue
        base = _latency(next((row for row in run["artifacts"] if row["backend"] == "onnxruntime"), None))
        for row in run["artifacts"]:
            yield _line(row, base, by)


def _line(row: Mapping[str, Any], base: float | None, by: str) -> str:
    latency = _latency(row)
    noisy = "too noisy" in (row["cost"].get("latency_p50", {}).get("reason") or "")
    ratio = f"{'~' if noisy else ''}{latency / base:.2f}" if latency and base else ""
    starts = [row["cost"].get(key, {}).get("value") for key in ("cold_start", "warm_start")]
    start = " / ".join(f"{each:.0f} ms" for each in starts if each is not None)
    fidelity, size = row["fidelity"], row["size_bytes"]
    error = "" if fidelity["max_rel"] is None else f"{fidelity['max_rel']:.1e}"
    if row["variant"].startswith("int8") and fidelity["cosine"] is not None:
        error = f"cos {fidelity['cosine']:.4f}"
    loss = "" if row["drop"] is None else f"{row['drop']:+.2f}"
    estimates = ", ".join(f"{key} {each['value']:g} {each['unit']}" for key, each in row["estimates"].items()
                          if key not in _OWN and isinstance(each["value"], int | float))  # fmt: skip
    unknown: dict[str, list[str]] = {}
    for name, reason in row.get("unknown", {}).items():
        unknown.setdefault(reason, []).append(name)
    parts = [
        _short(row["reason"] or ""),
        f"estimated by the tool: {estimates}" if estimates else "",
        *(f"not known: {', '.join(names)}: {_short(reason)}" for reason, names in unknown.items()),
    ]
    why = "; ".join(filter(None, parts))
    cells = (row["target"], f"{row['backend']} {row['variant']}", row["verdict"], row["ran_on"], error, loss,
             "" if size is None else _size(size), ratio, start, by, why)  # fmt: skip
    return f"| {' | '.join(_cell(each) for each in cells)} |"


def _latency(row: Mapping[str, Any] | None) -> float | None:
    figure = row["cost"].get("latency_p50", {}) if row else {}
    value = figure.get("value")
    return float(value) if figure.get("provenance") == "measured" and value else None


def _size(value: int) -> str:
    return f"{value / 1e6:.2f} MB" if value >= 1e6 else f"{value / 1e3:.0f} kB"


def _short(text: str, most: int = 160) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= most else line[: most - 3] + "..."


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
