"""IR -> IR. `registry.py` is the host's side; everything under `graph/` runs in the core toolchain."""
