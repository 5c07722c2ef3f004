"""Worker code that frontends share: `Call(..., libraries=(KIT,))`, then `from ..kit import emit` in the worker."""
