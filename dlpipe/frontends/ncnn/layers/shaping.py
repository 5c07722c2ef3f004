"""The same numbers in another shape or order, and values that pass through."""

from __future__ import annotations

from ..step import Step, layer

_DROPPED = -233
# Of which of its axes (from the innermost) ncnn's output is made, by rank and order.
_ORDERS = {
    2: "WH HW",
    3: "WHC HWC WCH CWH HCW CHW",
    4: "WHDC HWDC WDHC DWHC HDWC DHWC WHCD HWCD WCHD CWHD HCWD CHWD "
    "WDCH DWCH WCDH CWDH DCWH CDWH HDCW DHCW HCDW CHDW DCHW CDHW",
}
_AXES = {2: "HW", 3: "CHW", 4: "CDHW"}  # ncnn's axes in the order of ONNX


@layer("Split", "Noop")
def _same(step: Step) -> None:
    step.expect(1, None)
    for top in range(len(step.layer.tops)):
        step.done(step.value, top)


@layer("Dropout")
def _dropout(step: Step) -> None:
    step.expect()
    scale = step.layer.real(0, 1.0)
    if scale == 1:
        step.done(step.value)
    else:
        step.out("Mul", [step.value, step.number(scale, "scale")])


@layer("MemoryData")
def _memory(step: Step) -> None:
    step.expect(0)
    width, height, channels, depth = (step.layer.integer(number) for number in (0, 1, 2, 11))
    flag = step.layer.integer(21, 1)
    shape = [each for each in (channels, depth, height, width) if each]
    array = step.floats(*shape) if flag == 1 else step.weight(*shape)
    step.done(step.constant(array[None], "data"))


@layer("Flatten")
def _flatten(step: Step) -> None:
    step.expect()
    step.out("Flatten", [step.value], axis=1)


@layer("Permute")
def _permute(step: Step) -> None:
    step.expect()
    kind, rank = step.layer.integer(0), step.rank()
    if rank == 1:
        step.done(step.value)
        return
    orders = _ORDERS[rank].split()
    if rank == 2 and kind > 1:
        step.unsupported(f"the order {kind} of a matrix")
    if not 0 <= kind < len(orders):
        step.fail(f"there is no order {kind}")
    perm = [0, *(_AXES[rank].index(letter) + 1 for letter in reversed(orders[kind]))]
    step.out("Transpose", [step.value], perm=perm)


@layer("Reshape", limits="no shape that is computed at run time")
def _reshape(step: Step) -> None:
    step.expect()
    width, height, channels, depth = (step.layer.integer(number, _DROPPED) for number in (0, 1, 2, 11))
    if step.layer.integer(3):
        step.unsupported("it reorders channels as old versions of ncnn did")
    asked = [each for each in (channels, depth, height, width) if each != _DROPPED]
    names = [name for name, each in zip("CDHW", (channels, depth, height, width), strict=True) if each != _DROPPED]
    if not asked or names != list(_AXES.get(len(asked), "W")):
        step.fail(f"its shape is {asked} along {''.join(names)}")
    if asked.count(-1) > 1 or min(asked) < -1:
        step.fail(f"its shape is {asked}")
    given = _AXES.get(step.rank(), "W")
    shape: list[int | str] = []
    for name, each in zip(names, asked, strict=True):
        if each != 0:
            shape.append(each)
        else:
            shape.append(1 if name not in given else step.dim(step.value, given.index(name)))
    step.name_top(step.reshape(step.value, shape))


@layer("Squeeze")
def _squeeze(step: Step) -> None:
    step.expect()
    rank, shape = step.rank(), step.shape()
    flags = {name: step.layer.integer(number) for name, number in zip("WHCD", (0, 1, 2, 11), strict=True)}
    listed = step.layer.integers(3)
    chosen = listed or [index for index, name in enumerate(_AXES.get(rank, "W")) if flags[name]]
    axes = [axis for axis in (step.axis(each, rank) for each in chosen) if shape[axis - 1] == 1]
    if len(axes) == rank:
        axes = axes[:-1]
    if axes:
        step.out("Squeeze", [step.value, step.ints(sorted(axes), "axes")])
    else:
        step.done(step.value)


@layer("ExpandDims")
def _expand_dims(step: Step) -> None:
    step.expect()
    rank = step.rank()
    listed = step.layer.integers(3)
    if any(step.layer.integer(number) for number in (0, 1, 2, 11)) or not listed:
        step.unsupported("it names axes by letters")
    after = rank + len(listed)
    axes = sorted({step.axis(each, after) for each in listed})
    if len(axes) != len(listed) or after > 4:
        step.fail(f"the axes {listed} cannot be added to {rank}")
    step.out("Unsqueeze", [step.value, step.ints(axes, "axes")])


@layer("Tile")
def _tile(step: Step) -> None:
    step.expect()
    axis, times, repeats = step.layer.integer(0), step.layer.integer(1, 1), step.layer.integers(2)
    rank = step.rank()
    counts = [1] * (rank + 1)
    if repeats:
        if len(repeats) > rank or min(repeats) < 1:
            step.unsupported(f"the repeats {repeats} of {rank} axes")
        counts[rank + 1 - len(repeats) :] = repeats
    else:
        counts[step.axis(axis, rank)] = times
    if max(counts) > 1 << 16 or min(counts) < 1:
        step.fail(f"the repeats {counts[1:]}")
    step.out("Tile", [step.value, step.ints(counts, "repeats")])
