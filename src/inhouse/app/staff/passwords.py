"""Passwords of staff: hashed slowly, one at a time, compared in constant time."""

import base64
import hashlib
import hmac
import secrets
import threading
from typing import Final

from inhouse.core.errors import InputError

LEAST_CHARS: Final = 12
MOST_CHARS: Final = 256
_COST: Final = (14, 8, 5)  # of scrypt: log2 of N, r, p; 16 MB, and as slow as OWASP asks
_MOST_MEMORY: Final = 64 * 1024 * 1024
_SALT_BYTES: Final = 16
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none is taken for another
_GROUPS: Final = 5  # of four letters: 99 bits
_GROUP: Final = 4
# Many who sign in at once wait for each other: none of them makes the console large or deaf.
_ONE_AT_A_TIME: Final = threading.Lock()


def once_password() -> str:
    """A password to be told to somebody, who then chooses their own."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def checked_password(password: str, name: str) -> str:
    """A password that somebody chose for themselves. Raises InputError."""
    if not LEAST_CHARS <= len(password) <= MOST_CHARS:
        raise InputError(
            f"a password of {len(password):,} characters; expected {LEAST_CHARS} to {MOST_CHARS}",
            field="password",
        )
    if len(set(password)) < 4 or name.casefold() == password.casefold():
        raise InputError(
            "the password is the name, or a few characters again and again; choose another, "
            "such as four words that do not belong together",
            field="password",
        )
    return password


def hashed(password: str) -> str:
    """What is kept of a password: how it was hashed, the salt, the hash."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return "$".join(("scrypt", *map(str, _COST), _text(salt), _text(_hash(password, salt, _COST))))


def fits(password: str, secret: str | None) -> bool:
    """Whether a password is the one that was hashed. Takes as long where there is none."""
    _, log_n, r, p, salt, digest = (secret or _NOBODYS).split("$")
    found = _hash(password, _bytes(salt), (int(log_n), int(r), int(p)))
    return hmac.compare_digest(found, _bytes(digest)) and secret is not None


def _hash(password: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    log_n, r, p = cost
    given = password.encode("utf-8", "surrogatepass")
    with _ONE_AT_A_TIME:
        return hashlib.scrypt(
            given, salt=salt, n=1 << log_n, r=r, p=p, maxmem=_MOST_MEMORY, dklen=32
        )


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


_NOBODYS: Final = "$".join(("scrypt", *map(str, _COST), _text(bytes(16)), _text(bytes(32))))
