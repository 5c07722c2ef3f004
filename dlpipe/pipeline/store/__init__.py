"""The content-addressed store: blobs, trees of files, and one immutable record per finished stage."""

from dlpipe.pipeline.store.disk import hash_file
from dlpipe.pipeline.store.store import Store
from dlpipe.pipeline.store.values import File, Lost, Problem, Record, Tree

__all__ = ["File", "Lost", "Problem", "Record", "Store", "Tree", "hash_file"]
