"""Worker side of the passes: one file per pass; `catalogue.py` lists them, `infra.py` checks what they claim."""
