"""Hardware as data (one .toml per target) and a room per backend: IR -> artefact, and how to run it."""
