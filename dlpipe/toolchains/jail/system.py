"""The part of the machine that every cell shows, read-only: programs and libraries, and a stub of /etc."""

from __future__ import annotations

from pathlib import Path

from dlpipe.toolchains.jail.cell import USER

_PROGRAMS = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin")
_SETTINGS = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/vulkan")  # which GPU drivers there are
_STUBS = {
    "passwd": f"worker:x:{USER}:{USER}:worker:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "group": f"worker:x:{USER}:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost dlpipe\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


def programs() -> tuple[list[tuple[Path, str]], list[tuple[str, str]]]:
    """Mounts and links: `/usr` whole, and `/lib`, `/bin` ... as links where this machine has them so."""
    mounts: list[tuple[Path, str]] = []
    links: list[tuple[str, str]] = []
    for name in _PROGRAMS:
        path = Path(name)
        if path.is_symlink():
            links.append((str(path.readlink()), name))
        elif path.is_dir():
            mounts.append((path, name))
    mounts += [(Path(name).resolve(), name) for name in _SETTINGS if Path(name).exists()]
    return mounts, links


def stub_settings(folder: Path) -> list[tuple[Path, str]]:
    """Write the stubs below `folder` (they name no user and no host of this machine) and return their mounts."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _STUBS.items():
        (folder / name).write_text(text, encoding="ascii")
    return [(folder / name, f"/etc/{name}") for name in _STUBS]
