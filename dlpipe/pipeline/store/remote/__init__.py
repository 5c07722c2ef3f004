"""A tier behind the local store that many machines share: a prefix of a bucket, or any other place fsspec knows."""

from dlpipe.pipeline.store.remote.bucket import VARIABLE, Bucket
from dlpipe.pipeline.store.remote.tier import Remote

__all__ = ["VARIABLE", "Bucket", "Remote"]
