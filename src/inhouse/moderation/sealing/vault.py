"""The vault: what is sealed is encrypted before it is written, under a key that lies elsewhere.

The key is in a file that only the server's account can read; whoever has the database or a backup
of it has nothing.
"""

import importlib
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

from inhouse.core.errors import SettingError

KEY_FILE: Final = "sealed.key"


class Vault(Protocol):
    """Encrypts and decrypts."""

    def lock(self, content: bytes) -> bytes:
        """What may be written."""

    def unlock(self, locked: bytes) -> bytes:
        """What was given to `lock`. Raises StoreError."""


class FileVault:
    """With the key of a file; the file is made when something is locked for the first time.

    The ciphers are loaded then: they are 7 MB of a server, and most never seal anything.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def lock(self, content: bytes) -> bytes:
        """See `Vault`. Raises SettingError where the file is no key, or others may read it."""
        return self._locks.lock(content)

    def unlock(self, locked: bytes) -> bytes:
        """See `Vault`."""
        return self._locks.unlock(locked)

    @cached_property
    def _locks(self) -> Vault:
        locks: Vault = importlib.import_module("inhouse.moderation.sealing.locks").Locks(self._path)
        return locks


class NoVault:
    """Where nothing can be sealed."""

    def lock(self, content: bytes) -> bytes:
        raise SettingError("there is no vault; name a key file with INHOUSE_MODERATION_SEALED_KEY")

    def unlock(self, locked: bytes) -> bytes:
        raise SettingError("there is no vault; name a key file with INHOUSE_MODERATION_SEALED_KEY")
