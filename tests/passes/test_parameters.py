"""What `dlpipe pass show` says of parameters."""

from __future__ import annotations

from dlpipe.contracts.passes import PassInfo
from dlpipe.passes.known import parameters
from dlpipe.passes.known.parameters import explained
from dlpipe.passes.registry import pass_info, passes


def test_each_parameter_of_each_pass_is_explained():
    said = {(name, key): each for name in passes() for key, each in explained(pass_info(name)).items()}
    silent = [key for key, each in said.items() if not (each.meaning and each.values)]
    assert silent == [("specialise", "dims")]  # it is shown as specialise:NAME=NUMBER


def test_nothing_is_explained_that_is_not_there():
    there = {(name, key) for name in passes() for key in pass_info(name).defaults}
    assert set(parameters._OWN) <= there
    assert set(parameters._COMMON) <= {key for _, key in there}


def test_a_pass_of_another_package_speaks_for_itself():
    info = PassInfo("theirs", "s", exact=True, defaults={"rate": 1, "own": 2}, explained={"own": ("its own", "any")})
    found = explained(info)
    assert found["own"] == ("its own", "any")
    assert found["rate"].meaning
