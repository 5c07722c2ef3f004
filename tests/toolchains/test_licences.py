"""A toolchain under a proprietary licence is installed on the user's word, which is remembered for that licence."""

from __future__ import annotations

import pytest

from dlpipe.errors import ToolMissing, UserError
from dlpipe.toolchains.doctor import diagnose

TERMS = 'proprietary = true\nlicence = "Acme EULA {}"\nvendor = "Acme"\nlicence_text = "https://acme.example/eula"\n'


@pytest.fixture
def tools(make, write):
    write(more=TERMS.format(1))
    return make()


def test_without_a_word_it_is_told_what_to_accept_and_how(tools):
    with pytest.raises(ToolMissing, match="Acme EULA 1 of Acme .read it: https://acme.example/eula.") as caught:
        tools.ensure("tiny")
    assert "dlpipe toolchain install tiny --accept-licence" in caught.value.message
    assert caught.value.where["licence"] == "Acme EULA 1"
    (found,) = diagnose(tools, ["tiny"], thorough=False)
    assert (found.state, found.problems) == ("absent", (caught.value.message,))
    assert tools.installed() == []


def test_a_word_in_the_environment_holds_for_those_it_names(tools, monkeypatch):
    monkeypatch.setenv("DLPIPE_ACCEPT_LICENCES", "other,")
    with pytest.raises(ToolMissing):
        tools.ensure("tiny")
    monkeypatch.setenv("DLPIPE_ACCEPT_LICENCES", "other, tiny")
    assert tools.unaccepted("tiny") is None
    tools.ensure("tiny")
    monkeypatch.delenv("DLPIPE_ACCEPT_LICENCES")
    tools.ensure("tiny")  # it is there: nobody has to be asked
    monkeypatch.setenv("DLPIPE_ACCEPT_LICENCES", "all")
    assert tools.licences.accepted(tools.spec("tiny"))


def test_a_word_is_remembered_for_the_licence_that_was_read(tools, make, write):
    tools.licences.accept(tools.spec("tiny"))
    assert make().unaccepted("tiny") is None
    write(more=TERMS.format(2))
    assert make().unaccepted("tiny").licence == "Acme EULA 2"
    (tools.licences.folder / "tiny.json").write_text("[")
    assert not tools.licences.accepted(tools.spec("tiny"))


def test_a_definition_says_whose_licence_it_is_and_where_it_can_be_read(make, write):
    write(more="proprietary = true\n")
    with pytest.raises(UserError, match="needs licence, vendor, licence_text"):
        make().spec("tiny")
