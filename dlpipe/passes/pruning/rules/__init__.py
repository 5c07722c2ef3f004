"""Where the channels go in each operator: one dict from each file."""

from collections.abc import Mapping

from ..following import Rule
from . import convolving, elementwise, joining, mixing, multiplying, reshaping

RULES: Mapping[str, Rule] = {
    **convolving.RULES,
    **elementwise.RULES,
    **joining.RULES,
    **mixing.RULES,
    **multiplying.RULES,
    **reshaping.RULES,
}
