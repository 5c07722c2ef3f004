"""A network namespace of a test's own, as another host's network."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def own_network(number: int) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """(what goes before a command that is to run there, this side's address, that side's), of a pair of virtual
    interfaces. number: another one for each test. Skips where this user may make none."""
    space = f"dlpipe{number}x{os.getpid()}"
    ours, theirs = f"{number}x{os.getpid()}a", f"{number}x{os.getpid()}b"
    commands = [
        f"ip netns add {space}",
        f"ip link add {ours} type veth peer name {theirs}",
        f"ip link set {theirs} netns {space}",
        f"ip addr add 10.213.{number}.1/30 dev {ours}",
        f"ip link set {ours} up",
        f"ip -n {space} addr add 10.213.{number}.2/30 dev {theirs}",
        f"ip -n {space} link set {theirs} up",
    ]
    try:
        for command in commands:
            try:
                done = subprocess.run(command.split(), capture_output=True, text=True)
            except FileNotFoundError:
                pytest.skip("not run: needs the program ip")
            if done.returncode:
                pytest.skip(f"not run: this user may make no network namespaces: {done.stderr.strip()}")
        yield ("ip", "netns", "exec", space), f"10.213.{number}.1", f"10.213.{number}.2"
    finally:
        subprocess.run(["ip", "netns", "del", space], capture_output=True)
