"""What a plug-in for a key management system brings: an entry point of the group `dlpipe.kms` names its class.

Such a recipient is written NAME:KEY, NAME being the entry point's. The plug-in is needed where a package is encrypted
for it, and on the device that loads it; there dlpipe is not, so nothing of dlpipe has to be imported.
"""

from __future__ import annotations

from typing import Protocol


class KeyManagement(Protocol):
    """Made without arguments; finds its own credentials."""

    def wrap(self, key: bytes, recipient: str) -> bytes:
        """Encrypt a content key (32 bytes) under the key that `recipient` names. What comes out is authenticated."""
        ...

    def unwrap(self, wrapped: bytes, recipient: str) -> bytes:
        """The same 32 bytes. Raises ValueError when it is not what `wrap` made, or this machine may not unwrap it."""
        ...
