"""The user's code that builds a network: found by name, taken along with what it imports, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe.errors import UserError
from dlpipe.pipeline import source
from dlpipe.pipeline.store import Store
from dlpipe.pipeline.usercode import find_code


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model beside code; the working folder is another one, with code too."""
    beside, here = tmp_path / "beside", tmp_path / "here"
    (beside / "pkg" / "deep").mkdir(parents=True)
    here.mkdir()
    monkeypatch.chdir(here)
    files = {
        beside / "net.py": "import torch, blocks as b\nfrom pkg.deep import x\n",
        beside / "blocks.py": "  from helper import y\n",
        beside / "helper.py": "import net\n",
        beside / "thesis.py": "",
        beside / "pkg" / "__init__.py": "",
        beside / "pkg" / "deep" / "x.py": "from . import z\n",
        here / "mine.py": "",
        here / "twice.py": "",
        beside / "twice.py": "",
        beside / "m.pth": "weights",
    }
    for path, text in files.items():
        path.write_text(text)
    return beside / "m.pth"


def test_what_the_code_imports_comes_with_it(model: Path) -> None:
    factory, files = find_code("net:build", model)
    assert factory == "net:build"
    assert sorted(files) == ["blocks.py", "helper.py", "net.py", "pkg/__init__.py", "pkg/deep/x.py"]


@pytest.mark.parametrize(
    ("given", "taken"),
    [("mine:f", "mine:f"), ("pkg.deep.x:f", "pkg.deep.x:f"), ("mine.py:C.f", "mine:C.f"), ("net.py:f", "net:f")],
)
def test_where_it_is_looked_for(model: Path, given: str, taken: str) -> None:
    assert find_code(given, model)[0] == taken


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("net", "not module:function"),
        ("net:", "not module:function"),
        ("net:a b", "not module:function"),
        ("nothing:f", "there is no nothing.py in"),
        ("no/file.py:f", "no Python file no/file.py"),
        ("../x:f", "there is no"),
        ("twice:f", "is in .* and in "),
    ],
)
def test_what_cannot_be_found(model: Path, given: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        find_code(given, model)


def test_code_lies_in_the_source_beside_the_model(model: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    plain = source.take(store, str(model), ("pytorch",))
    taken = source.take(store, str(model), ("pytorch",), "mine:f")
    assert [file.name for file in store.tree(taken.tree).files] == ["m.pth", "mine.py"]
    assert (taken.factory, taken.sha256) == ("mine:f", plain.sha256)
    folder = source.take(store, str(model.parent / "pkg"), ("pytorch",), "mine:f")
    assert [file.name for file in store.tree(folder.tree).files] == ["__init__.py", "deep/x.py", "mine.py"]
