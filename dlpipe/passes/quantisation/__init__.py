"""Worker side: integers in place of floats, and what prepares a model for them."""
