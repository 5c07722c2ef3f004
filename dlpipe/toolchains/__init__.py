"""Locked, isolated environments of the tools that dlpipe drives, and the jailed workers that run in them."""

from dlpipe.toolchains.environment import Environment
from dlpipe.toolchains.manager import Toolchains, default_cache_dir
from dlpipe.toolchains.registry import Registry
from dlpipe.toolchains.spec import Spec

__all__ = ["Environment", "Registry", "Spec", "Toolchains", "default_cache_dir"]
