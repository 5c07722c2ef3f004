"""One file per kind of data set. Worker side."""
