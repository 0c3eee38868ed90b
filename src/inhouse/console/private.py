"""Files of the console that only its own user may read."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from inhouse.app.keys import Keys
from inhouse.core.errors import AccessError, StoreError

KEY_NAME: Final = "console feed page"
KEY_SCOPES: Final = ("feed", "events")


def write_private(path: Path, text: str) -> None:
    """Write a whole file that nobody else can read, not even for a moment."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise StoreError(
            f"cannot write {path}: {error.strerror}; free space or fix the permissions"
        ) from error


def read_private(path: Path) -> str | None:
    """What a private file holds, None where there is none."""
    try:
        return path.read_text("ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read {path}: {error}; remove it and start again") from error


def feed_key(keys: Keys, folder: Path) -> str:
    """The feed page's own API key: the one in its file while it is good, else a new one."""
    path = folder / "console" / "feed-key"
    known = read_private(path)
    if known is not None and _good(keys, known):
        return known
    for key in keys.list():
        if key.name == KEY_NAME and key.revoked_ms is None:
            keys.revoke(key.key_id)  # its secret is lost, so it serves nobody
    _, secret = keys.create(KEY_NAME, KEY_SCOPES)
    write_private(path, secret)
    return secret


def _good(keys: Keys, secret: str) -> bool:
    try:
        for scope in KEY_SCOPES:
            keys.require(secret, scope)
    except AccessError:
        return False
    return True
