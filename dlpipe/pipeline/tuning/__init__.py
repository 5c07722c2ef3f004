"""A search on this machine for faster code, within a budget, kept for every later model."""
