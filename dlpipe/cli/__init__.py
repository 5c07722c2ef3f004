"""The command line: one file per command, each light to import."""
