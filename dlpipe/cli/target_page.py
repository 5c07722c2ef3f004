"""What `dlpipe target show` prints: all that is known of a target, in 80 columns."""

from __future__ import annotations

import typer

from dlpipe.cli.wrapping import wrapped
from dlpipe.contracts.backend import Target
from dlpipe.targets.known import Known

_LABEL = 14


def print_page(target: Target, backends: list[Known]) -> None:
    typer.secho(target.name, bold=True)
    typer.echo(wrapped(target.summary, "  "))
    typer.echo()
    _field("processor" if target.kind == "cpu" else target.kind, _processor(target))
    _field("extensions", " ".join(target.isa))
    _field("executed", _executed(target))
    _field("based on", target.extends or "")
    typer.echo()
    _backends(target, backends)
    if target.options:
        typer.secho("\noptions", bold=True)
        for name, values in target.options.items():
            _field(name, ", ".join(f"{key} {_text(value)}" for key, value in values.items()))
    if target.notes:
        typer.secho("\nnotes", bold=True)
        for note in target.notes:
            typer.echo(wrapped(note, "  - ", "    "))


def _backends(target: Target, found: list[Known]) -> None:
    typer.secho(f"{'backends':<20}{'precisions':<26}executed", bold=True)
    for each in found:
        name = f"{each.backend} *" if each.default else each.backend
        if each.refused:
            typer.echo(wrapped(each.refused, f"  {name:<18}", " " * 20))
            continue
        where = _by(target) if each.executed else "no"
        typer.echo(wrapped(f"{' '.join(each.variants):<26}{where}", f"  {name:<18}", " " * 20))
    typer.echo("  * the choice for this target; the others with --backend")


def _processor(target: Target) -> str:
    return ", ".join(filter(None, (target.arch, target.triple, target.abi)))


def _executed(target: Target) -> str:
    if target.runner == "qemu-user":
        within = f" ({target.root})" if target.root else ""
        return f"here, under QEMU's emulation of {target.emulator_cpu}{within}"
    if url := target.options.get("agent", {}).get("url"):
        return f"by the agent at {url}"
    return {
        "native": "by this machine's own processor",
        "simulator": "here, in a simulator or on a device in software",
        "device": "on that hardware, where this machine has it",
        "none": "not on this machine: artefacts are made and stay unverified",
    }[target.runner]


def _by(target: Target) -> str:
    return {"qemu-user": "emulated", "native": "natively", "simulator": "simulated", "device": "where it is found"}.get(
        target.runner, "yes"
    )


def _field(label: str, text: str) -> None:
    if text:
        typer.echo(wrapped(text, f"  {label:<{_LABEL}}", " " * (_LABEL + 2)))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
