"""The exact passes on small graphs."""

from tests.passes.fusions.conftest import try_spellings  # noqa: F401 - a fixture
