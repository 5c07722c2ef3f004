"""Which node of a graph departs from a reference: worker code of `bisect_worker.py`."""
