"""dlpipe: a model conversion and compilation pipeline."""

__version__ = "0.1.0"
