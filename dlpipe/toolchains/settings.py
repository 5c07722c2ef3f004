"""The user's own index, proxies and certificates: what pip is told, told to uv as well.

uv reads its own environment variables and `uv.toml`; these count first. What pip is told by its environment variables
or configuration files fills the gaps.
"""

from __future__ import annotations

import configparser
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

# pip's option -> (uv's variable, other spellings of it in uv's environment and configuration, separator of a list)
_OPTIONS: Mapping[str, tuple[str, tuple[str, ...], str | None]] = {
    "index-url": ("UV_DEFAULT_INDEX", ("UV_INDEX_URL", "index-url", "index"), None),
    "extra-index-url": ("UV_INDEX", ("UV_EXTRA_INDEX_URL", "extra-index-url", "index"), " "),
    "find-links": ("UV_FIND_LINKS", ("find-links",), ","),
    "no-index": ("UV_NO_INDEX", ("no-index",), None),
    "trusted-host": ("UV_INSECURE_HOST", ("allow-insecure-host",), " "),
    "cert": ("SSL_CERT_FILE", ("SSL_CERT_DIR",), None),
    "timeout": ("UV_HTTP_TIMEOUT", ("http-timeout",), None),
    "proxy": ("ALL_PROXY", ("HTTPS_PROXY", "https_proxy", "all_proxy"), None),
}
_LOCATIONS = ("extra-index-url", "find-links")
_NOT_PASSED_ON = (  # they say which packages, into which Python; a locked toolchain leaves no choice
    *("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__"),
    *("UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE", "UV_EXCLUDE_NEWER"),
    *("UV_NO_VERIFY_HASHES", "UV_PRERELEASE", "UV_RESOLUTION", "UV_TORCH_BACKEND"),
    *("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_CONSTRAINT", "PIP_NO_BINARY"),
)


def uv_environment(environ: Mapping[str, str] | None = None, *, further_places: bool = True) -> dict[str, str]:
    """The environment to start uv with: the caller's, plus pip's settings where uv has none of its own.

    Local folders that pip is told of and that do not exist are left out: pip passes over them, uv stops. With
    `further_places=False` only pip's main index counts: a lock must not depend on what this machine has beside it.
    """
    ours = dict(os.environ if environ is None else environ)
    for variable in _NOT_PASSED_ON:
        ours.pop(variable, None)
    known = {*(name for name, value in ours.items() if value), *_uv_files(ours)}
    for option, value in pip_settings(ours).items():
        variable, synonyms, separator = _OPTIONS[option]
        if variable in known or known & set(synonyms) or (option in _LOCATIONS and not further_places):
            continue
        words = [word for word in value.split() if option not in _LOCATIONS or _exists(word)]
        if words:
            ours[variable] = separator.join(words) if separator else words[0]
            if option == "extra-index-url":  # pip looks in all indexes; hashes decide what may be installed
                ours.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return ours


def pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """pip's options that concern downloads; lists are separated by white space. Variables win over files."""
    found: dict[str, str] = {}
    for path in _pip_files(environ):
        parser = configparser.RawConfigParser()
        with suppress(configparser.Error, OSError, UnicodeDecodeError):  # pip itself will complain of its files
            parser.read(path, encoding="utf-8")
        for section in ("global", "install"):
            if parser.has_section(section):
                found.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    for option in _OPTIONS:
        if value := environ.get("PIP_" + option.upper().replace("-", "_")):
            found[option] = value
    return {option: value for option, value in found.items() if option in _OPTIONS and value.strip()}


def _pip_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """pip's configuration files, the one that counts most last."""
    chosen = environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return
    for folder in reversed(environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")):
        yield Path(folder, "pip", "pip.conf")
    yield Path("/etc/pip.conf")
    if home := environ.get("HOME"):
        yield Path(home, ".pip", "pip.conf")
        yield Path(environ.get("XDG_CONFIG_HOME") or Path(home, ".config"), "pip", "pip.conf")
    if chosen:
        yield Path(chosen)


def _uv_files(environ: Mapping[str, str]) -> set[str]:
    """The keys that the user's and the system's `uv.toml` set."""
    folders = [*environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"), "/etc"]
    if home := environ.get("HOME"):
        folders.append(environ.get("XDG_CONFIG_HOME") or str(Path(home, ".config")))
    files = [Path(folder, "uv", "uv.toml") for folder in folders]
    if chosen := environ.get("UV_CONFIG_FILE"):
        files.append(Path(chosen))
    keys: set[str] = set()
    for path in files:
        with suppress(OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):  # uv itself will complain of its files
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            keys |= {*table, *table.get("pip", {})}
    return keys


def _exists(location: str) -> bool:
    address = urlsplit(location)
    if address.scheme == "file":
        return Path(unquote(address.path)).exists()
    return address.scheme in ("http", "https") or Path(location).expanduser().exists()
