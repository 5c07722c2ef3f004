"""What pip is told counts for uv too, and uv's own settings come first."""

from __future__ import annotations

import pytest

from dlpipe.toolchains.settings import uv_environment


@pytest.fixture
def home(tmp_path):
    (tmp_path / ".config" / "pip").mkdir(parents=True)
    (tmp_path / ".config" / "uv").mkdir()
    (tmp_path / "wheels").mkdir()
    return tmp_path


def settings(home, **variables):
    environ = {"HOME": str(home), "XDG_CONFIG_DIRS": str(home / "none"), "PIP_CONFIG_FILE": "/dev/null", **variables}
    return {key: value for key, value in uv_environment(environ).items() if key not in environ}


def with_files(home, **variables):
    variables.setdefault("PIP_CONFIG_FILE", str(home / ".config" / "pip" / "pip.conf"))
    return settings(home, **variables)


def test_variables(home):
    found = settings(
        home,
        PIP_INDEX_URL="https://index.example/simple",
        PIP_EXTRA_INDEX_URL="https://a.example/simple https://b.example/simple",
        PIP_FIND_LINKS=f"{home}/wheels https://c.example/wheels",
        PIP_CERT="/etc/ca.pem",
        PIP_PROXY="http://proxy.example:3128",
        PIP_TRUSTED_HOST="a.example b.example",
    )
    assert found == {
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": f"{home}/wheels,https://c.example/wheels",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "ALL_PROXY": "http://proxy.example:3128",
        "UV_INSECURE_HOST": "a.example b.example",
    }


def test_files_and_what_stands_above_them(home):
    (home / ".config" / "pip" / "pip.conf").write_text(
        f"[global]\nindex-url = https://global.example/simple\ntimeout = 99\n[install]\nfind_links =\n  {home}/wheels\n"
    )
    found = with_files(home)
    assert found["UV_DEFAULT_INDEX"] == "https://global.example/simple"
    assert found["UV_HTTP_TIMEOUT"] == "99"
    assert found["UV_FIND_LINKS"] == f"{home}/wheels"
    found = with_files(home, PIP_INDEX_URL="https://variable.example/simple")
    assert found["UV_DEFAULT_INDEX"] == "https://variable.example/simple"


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_uv_variables_come_first(home, variable):
    found = settings(home, PIP_INDEX_URL="https://pip.example/simple", **{variable: "https://uv.example/simple"})
    assert found == {}


def test_uv_files_come_first(home):
    (home / ".config" / "uv" / "uv.toml").write_text('[pip]\nindex-url = "https://uv.example/simple"\n')
    assert settings(home, PIP_INDEX_URL="https://pip.example/simple") == {}


def test_places_that_do_not_exist_are_left_out(home):
    found = settings(
        home, PIP_FIND_LINKS=f"{home}/absent {home}/wheels", PIP_EXTRA_INDEX_URL=f"file://{home}/absent/simple"
    )
    assert found == {"UV_FIND_LINKS": f"{home}/wheels"}


def test_a_lock_does_not_depend_on_what_this_machine_has_beside_the_index(home):
    environ = {"HOME": str(home), "PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": f"{home}/wheels"}
    assert "UV_FIND_LINKS" in uv_environment(environ)
    assert "UV_FIND_LINKS" not in uv_environment(environ, further_places=False)


def test_a_damaged_pip_conf_is_left_to_pip(home):
    before = with_files(home)
    (home / ".config" / "pip" / "pip.conf").write_text("index-url = no section above\n")
    assert with_files(home) == before


def test_the_virtual_environment_of_dlpipe_is_not_passed_on(home):
    environ = {"HOME": str(home), "PIP_CONFIG_FILE": "/dev/null", "VIRTUAL_ENV": "/venv", "PYTHONPATH": "/x"}
    assert not {"VIRTUAL_ENV", "PYTHONPATH"} & set(uv_environment(environ))
