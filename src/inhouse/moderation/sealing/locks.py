"""Fernet with the key of a file: AES-128 in CBC mode with HMAC-SHA-256."""

import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from inhouse.core.errors import SettingError, StoreError


class Locks:
    """The vault behind `vault.FileVault`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lock(self, content: bytes) -> bytes:
        """See `Vault`. Raises SettingError where the file is no key, or others may read it."""
        return self._fernet(make=True).encrypt(content)

    def unlock(self, locked: bytes) -> bytes:
        """See `Vault`."""
        try:
            return self._fernet(make=False).decrypt(locked)
        except InvalidToken as error:
            raise StoreError(
                f"the key in {self._path} is not the one this was sealed with; "
                "put the right key there"
            ) from error

    def _fernet(self, *, make: bool) -> Fernet:
        if make:
            self._make()
        try:
            mode = self._path.stat().st_mode & 0o077
            key = self._path.read_bytes().strip()
        except OSError as error:
            raise StoreError(
                f"cannot read the key {self._path}: {error.strerror}; bring it back from where "
                "you keep keys"
            ) from error
        if mode:
            raise SettingError(f"others may read the key {self._path}; run `chmod 600` on it")
        try:
            return Fernet(key)
        except ValueError as error:
            raise SettingError(
                f"{self._path} holds no key; expected 32 bytes in URL-safe base64"
            ) from error

    def _make(self) -> None:
        """A fresh key, unless somebody was faster."""
        if self._path.exists():
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = self._path.with_name(f".{self._path.name}.{os.getpid()}.{os.urandom(4).hex()}")
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(Fernet.generate_key())
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(part, self._path)  # fails where it is there, unlike a rename
            except FileExistsError:
                pass
            finally:
                part.unlink()
        except OSError as error:
            raise StoreError(
                f"cannot write the key {self._path}: {error.strerror}; mend the folder or name "
                "another file with INHOUSE_MODERATION_SEALED_KEY"
            ) from error
