from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlpipe.report.spread import spread

places = st.lists(st.tuples(st.integers(-100, 100), st.integers(1, 20)), max_size=8)


def test_what_has_room_stays_where_it_is() -> None:
    assert spread([0.0, 30.0, 90.0], [10.0, 10.0, 10.0]) == [0.0, 30.0, 90.0]


def test_what_wants_the_same_place_shares_it_evenly() -> None:
    assert spread([50.0, 50.0, 50.0], [10.0, 10.0, 10.0]) == pytest.approx([40.0, 50.0, 60.0])


@given(places)
def test_each_keeps_its_room_and_the_middle_stays(given: list[tuple[int, int]]) -> None:
    wanted, room = [float(want) for want, _ in given], [float(need) for _, need in given]
    found = spread(wanted, room)
    for place in range(1, len(found)):
        assert found[place] - found[place - 1] >= room[place - 1] - 1e-9
    assert sum(found) == pytest.approx(sum(wanted))
