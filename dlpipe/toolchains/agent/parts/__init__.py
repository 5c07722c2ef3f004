"""The parts of the agent's program; `program.py` puts them together."""
