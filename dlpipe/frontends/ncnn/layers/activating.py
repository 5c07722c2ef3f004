"""Functions of single numbers, and those that convolutions have built in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..step import Step, layer


def activated(step: Step, value: str, kind_at: int = 9, params_at: int = 10) -> str:
    """The value after the activation that the layer has built in."""
    kind, params = step.layer.integer(kind_at), [float(each) for each in step.layer.array(params_at)]
    wanted = {2: 1, 3: 2, 6: 2}.get(kind, 0)
    if len(params) < wanted:
        step.fail(f"its activation {kind} has {len(params)} parameters")
    if kind == 0:
        return value
    if kind == 1:
        return step.node("Relu", [value])
    if kind == 2:
        return step.node("LeakyRelu", [value], alpha=params[0])
    if kind == 3:
        return step.node("Clip", [value, step.number(params[0], "min"), step.number(params[1], "max")])
    if kind == 4:
        return step.node("Sigmoid", [value])
    if kind == 5:
        return step.node("Mish", [value])
    if kind != 6:
        step.unsupported(f"its activation {kind} is not converted")
    return step.node("Mul", [value, _hard(step, value, params[0], params[1])])


def _hard(step: Step, value: str, alpha: float, beta: float) -> str:
    return step.node("HardSigmoid", [value], alpha=alpha, beta=beta)


def _plain(step: Step) -> None:
    """Layers that are one operator without parameters."""
    step.expect()
    step.out(_PLAIN[step.layer.type], [step.value])


_PLAIN = {
    "AbsVal": "Abs", "BNLL": "Softplus", "Erf": "Erf", "Mish": "Mish", "Sigmoid": "Sigmoid", "Softplus": "Softplus",
    "TanH": "Tanh",
}  # fmt: skip
layer(*_PLAIN)(_plain)


@layer("ReLU")
def _relu(step: Step) -> None:
    step.expect()
    slope = step.layer.real(0)
    if slope == 0:
        step.out("Relu", [step.value])
    else:
        step.out("LeakyRelu", [step.value], alpha=slope)


@layer("PReLU")
def _prelu(step: Step) -> None:
    step.expect()
    slopes = step.floats(step.layer.integer(0))
    step.out("PRelu", [step.value, step.per_channel(slopes, "slope", shared=True)])


@layer("ELU")
def _elu(step: Step) -> None:
    step.expect()
    step.out("Elu", [step.value], alpha=step.layer.real(0, 0.1))


@layer("CELU")
def _celu(step: Step) -> None:
    step.expect()
    step.out("Celu", [step.value], alpha=step.layer.real(0, 1.0))


@layer("SELU")
def _selu(step: Step) -> None:
    step.expect()
    step.out("Selu", [step.value], alpha=step.layer.real(0, 1.67326324), gamma=step.layer.real(1, 1.050700987))


@layer("GELU")
def _gelu(step: Step) -> None:
    step.expect()
    value, fast = step.value, step.layer.integer(0)
    if fast:
        cube = step.node("Mul", [value, step.node("Mul", [value, value])])
        inner = step.node("Add", [value, step.node("Mul", [cube, step.number(0.044715, "cubic")])])
        turned = step.node("Tanh", [step.node("Mul", [inner, step.number(0.79788452, "scale")])])
    else:
        turned = step.node("Erf", [step.node("Mul", [value, step.number(0.70710678, "scale")])])
    part = step.node("Add", [turned, step.number(1, "one")])
    step.out("Mul", [step.node("Mul", [value, step.number(0.5, "half")]), part])


@layer("Swish")
def _swish(step: Step) -> None:
    step.expect()
    step.out("Mul", [step.value, step.node("Sigmoid", [step.value])])


@layer("HardSigmoid")
def _hard_sigmoid(step: Step) -> None:
    step.expect()
    step.out("HardSigmoid", [step.value], alpha=step.layer.real(0, 0.2), beta=step.layer.real(1, 0.5))


@layer("HardSwish")
def _hard_swish(step: Step) -> None:
    step.expect()
    gate = _hard(step, step.value, step.layer.real(0, 0.2), step.layer.real(1, 0.5))
    step.out("Mul", [step.value, gate])


@layer("Clip")
def _clip(step: Step) -> None:
    step.expect()
    limits = [step.number(step.layer.real(at, big), name) for at, big, name in ((0, -_MAX, "min"), (1, _MAX, "max"))]
    step.out("Clip", [step.value, *limits])


_MAX = 3.4028234663852886e38


@layer("Threshold")
def _threshold(step: Step) -> None:
    step.expect()
    above = step.node("Greater", [step.value, step.number(step.layer.real(0), "threshold")])
    step.out("Cast", [above], to=1)


@layer("Exp", "Log")
def _exp_log(step: Step) -> None:
    """exp(shift + x * scale) and log(shift + x * scale), to a base."""
    step.expect()
    base, scale, shift = step.layer.real(0, -1.0), step.layer.real(1, 1.0), step.layer.real(2)
    value = _linear(step, step.value, scale, shift)
    if step.layer.type == "Exp":
        if base == -1:
            step.out("Exp", [value])
        else:
            step.out("Pow", [step.number(base, "base"), value])
    elif base == -1:
        step.out("Log", [value])
    else:
        natural = step.node("Log", [step.number(base, "base")])
        step.out("Div", [step.node("Log", [value]), natural])


@layer("Power")
def _power(step: Step) -> None:
    step.expect()
    value = _linear(step, step.value, step.layer.real(1, 1.0), step.layer.real(2))
    step.out("Pow", [value, step.number(step.layer.real(0, 1.0), "power")])


def _linear(step: Step, value: str, scale: float, shift: float) -> str:
    if scale != 1:
        value = step.node("Mul", [value, step.number(scale, "scale")])
    if shift != 0:
        value = step.node("Add", [value, step.number(shift, "shift")])
    return value


_UNARY: Sequence[str | Callable[[Step], None]] = (
    "Abs", "Neg", "Floor", "Ceil", lambda step: step.out("Mul", [step.value, step.value]), "Sqrt",
    lambda step: step.out("Reciprocal", [step.node("Sqrt", [step.value])]), "Exp", "Log", "Sin", "Cos", "Tan", "Asin",
    "Acos", "Atan", "Reciprocal", "Tanh",
    lambda step: step.out("Mul", [step.node("Log", [step.value]), step.number(0.43429448190325, "log10e")]), "Round",
    lambda step: step.out("Mul", [step.node("Sign", [step.value]),
                                  step.node("Floor", [step.node("Abs", [step.value])])]),
)  # fmt: skip


@layer("UnaryOp", limits="the operations 0 to 19")
def _unary(step: Step) -> None:
    step.expect()
    kind = step.layer.integer(0)
    if not 0 <= kind < len(_UNARY):
        step.unsupported(f"its operation {kind} is not converted")
    how = _UNARY[kind]
    if callable(how):
        how(step)
    else:
        step.out(how, [step.value])
