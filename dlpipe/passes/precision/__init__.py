"""Worker side: floats of fewer bits."""
