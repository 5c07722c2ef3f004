"""Worker side: fewer channels, and weights that are zero."""
