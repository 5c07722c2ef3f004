"""`dlpipe compress`: from a goal to a smaller or faster model, every candidate measured against the original."""
