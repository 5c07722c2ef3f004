"""Worker side of the IR room: runs in the core toolchain and is never imported by the host."""
