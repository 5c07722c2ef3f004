"""Worker code that backends share: `Call(..., libraries=(KIT,))`, then `from ..kit import executing` in the worker."""
