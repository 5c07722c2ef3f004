"""What the host knows of each pass: a file for each folder of worker code, read by `registry.py`."""
