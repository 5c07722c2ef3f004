"""A run as VisualDL's log files, written by VisualDL itself in a toolchain of its own."""
