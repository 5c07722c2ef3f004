"""Which toolchains there are, and what is said of a faulty description."""

from __future__ import annotations

import pytest

from dlpipe.errors import UserError
from dlpipe.toolchains import Registry


def test_the_rooms_of_the_package_are_found():
    assert {"base", "core", "tensorflow", "tvm", "ncnn"} <= set(Registry().names())


def test_an_unknown_name_lists_near_matches():
    with pytest.raises(UserError, match="'tensorflo'") as caught:
        Registry().get("tensorflo")
    assert "did you mean tensorflow" in caught.value.hint


def test_a_name_that_resembles_nothing_lists_all():
    with pytest.raises(UserError) as caught:
        Registry().get("zzz")
    assert "core" in caught.value.hint


def test_two_of_one_name_are_refused(write, definitions):
    write(name="core")
    with pytest.raises(UserError, match="two toolchains are called 'core'"):
        Registry([definitions]).get("core")


def test_a_package_that_is_plugged_in(tmp_path, monkeypatch):
    package = tmp_path / "acme_dlpipe"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('it is found without being imported')\n")
    (package / "toolchain.toml").write_text('name = "acme"\nsummary = "plugged in"\npython = "3.11"\n')
    record = tmp_path / "acme_dlpipe-1.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-dlpipe\nVersion: 1\n")
    (record / "entry_points.txt").write_text("[dlpipe.toolchains]\nacme = acme_dlpipe\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert Registry().get("acme").summary == "plugged in"
    assert "acme" in Registry().names()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('name = "x"\nsummary = ', "not valid TOML"),
        ('name = "x"\npython = "3.11"', "summary: Field required"),
        ('name = "x"\nsummary = "y"\npython = "3.11"\nrequirments = []', "requirments: Extra inputs"),
        ('name = "X y"\nsummary = "y"\npython = "3.11"', "name: "),
        ('name = "x"\nsummary = "y"\npython = 3.11', "python: Input should be a valid string"),
        ('name = "x"\nsummary = "y"\npython = "3.11.7"', "python: "),
        ('name = "x"\nsummary = "y"', 'kind = "python" needs python'),
        ('name = "x"\nsummary = "y"\nkind = "debian"\nsuite = "trixie"', "needs architecture, packages"),
        ('name = "x"\nsummary = "y"\npython = "3.11"\nsuite = "trixie"', 'kind = "python" has no suite'),
        ('name = "x"\nsummary = "y"\nkind = "conda"', "kind: "),
    ],
)
def test_a_faulty_description_is_named(tmp_path, text, fault):
    (tmp_path / "toolchain.toml").write_text(text)
    with pytest.raises(UserError) as caught:
        Registry([tmp_path]).get("x")
    assert str(tmp_path / "toolchain.toml") in caught.value.message
    assert fault in caught.value.message
