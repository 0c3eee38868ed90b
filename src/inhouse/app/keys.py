"""API keys: shown once, stored as a hash, checked from memory.

A key is `inh_SECRET`, or `inh_COMMUNITY.SECRET` for a community with a name. The name only says
whom to ask: the hash is of the whole key, so one with another name in it is unknown everywhere.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from inhouse.core.clock import MINUTE_MS, Clock, SystemClock
from inhouse.core.errors import AccessError, InputError, StoreError, UnknownError
from inhouse.core.ids import new_id
from inhouse.store import tables
from inhouse.store.database import Database

SCOPES: Final = {
    "items": "post and withdraw items",
    "users": "create and read users, link sessions to them",
    "privacy": "export and erase people",
    "events": "send events and reports",
    "feed": "ask for feeds and explanations",
    "rights": "read what people are told: statements of reasons, answers, strikes",
    "moderation": "read verdicts, review, appeals",
    "sealed": "see what is sealed for child sexual abuse, without its content, and its duties",
    "experiments": "read and change experiments",
    "rules": "read and change what is pinned, boosted and blocked",
    "insight": "read engagement metrics, the bill, dependence, and how far models have come",
    "models": "have texts judged, call models through the gateway",
    "labels": "say what is true of texts, which models learn from",
    "routes": "hold models on their way, roll them back, let them go on, sign margins",
}
_PREFIX: Final = "inh_"
_DOT: Final = "."  # stands in no secret, so keys from before there were names have none
_RECHECK_MS: Final = 2_000
# So long a key that the store knew is believed while the store answers nobody: pages are served
# from memory meanwhile. Nobody can revoke a key then, for that is written to the store.
_BELIEVED_MS: Final = 15 * MINUTE_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """What is known of a key; the secret itself is nowhere."""

    key_id: str  # names it in lists and logs
    name: str  # what it is for
    scopes: frozenset[str]  # what it may do
    created_ms: int  # when
    revoked_ms: int | None  # since when it is void
    keeps_calls: bool = False  # whether calls it passes on may be kept to learn from


@dataclass(frozen=True, kw_only=True, slots=True)
class _Checked:
    """When a key was asked for, and when the store last knew it."""

    key: ApiKey
    asked_ms: int
    known_ms: int


class Keys:
    """Creates, checks and revokes keys. A revocation reaches every process within two seconds."""

    def __init__(self, database: Database, community: str = "", clock: Clock | None = None) -> None:
        """clock: the machine's where none is given."""
        self._database = database
        self._community = community
        self._clock = clock or SystemClock()
        self._checked: dict[str, _Checked] = {}

    def create(self, name: str, scopes: Iterable[str]) -> tuple[ApiKey, str]:
        """A new key and its secret, which cannot be shown again."""
        wanted = frozenset(scopes)
        unknown = sorted(wanted - SCOPES.keys())
        if unknown or not wanted:
            given = ", ".join(unknown) or "none"
            raise InputError(f"scopes: got {given}, expected some of {', '.join(SCOPES)}")
        secret = _prefix(self._community) + secrets.token_urlsafe(32)
        key = ApiKey(
            key_id=new_id("key")[:24],
            name=name,
            scopes=wanted,
            created_ms=self._clock.now_ms(),
            revoked_ms=None,
        )
        row = {
            "key_id": key.key_id,
            "secret_hash": _hash(secret),
            "name": name,
            "scopes": " ".join(sorted(wanted)),
            "created_ms": key.created_ms,
        }
        self._database.write(lambda connection: connection.execute(tables.api_keys.insert(), row))
        return key, secret

    def require(self, secret: str | None, scope: str) -> ApiKey:
        """The key behind a secret. Raises AccessError where it is unknown, void or too narrow."""
        ours = secret is not None and community_of(secret) == self._community
        key = self._find(secret) if secret and ours else None
        if key is None or key.revoked_ms is not None:
            raise unknown_key()
        if scope not in key.scopes:
            raise AccessError(
                f"key {key.name!r} lacks the scope {scope!r}, "
                f"it has {', '.join(sorted(key.scopes))}",
                known_key=True,
            )
        return key

    def list(self) -> list[ApiKey]:
        """Every key, newest first."""
        query = sa.select(tables.api_keys).order_by(tables.api_keys.c.created_ms.desc())
        with self._database.read() as connection:
            return [_key(row) for row in connection.execute(query)]

    def revoke(self, key_id: str) -> None:
        """Make a key void. Raises UnknownError."""
        now_ms = self._clock.now_ms()
        update = (
            tables.api_keys.update()
            .where(tables.api_keys.c.key_id == key_id)
            .values(revoked_ms=now_ms)
        )
        if self._database.write(lambda connection: connection.execute(update).rowcount) == 0:
            raise UnknownError(f"no key {key_id!r}; `inhouse keys list` shows them")

    def keep_calls(self, key_id: str, *, keep: bool) -> None:
        """Allow, or no longer, that calls passed on with a key are kept. Raises UnknownError."""
        table = tables.api_keys
        update = table.update().where(table.c.key_id == key_id).values(keeps_calls=keep)
        if self._database.write(lambda connection: connection.execute(update).rowcount) == 0:
            raise UnknownError(f"no key {key_id!r}; `inhouse keys list` shows them")

    def _find(self, secret: str) -> ApiKey | None:
        digest = _hash(secret)
        now_ms, before = self._clock.now_ms(), self._checked.get(digest)
        if before is not None and now_ms - before.asked_ms < _RECHECK_MS:
            return before.key
        try:
            found = self._stored(digest)
        except StoreError:
            if before is None or now_ms - before.known_ms >= _BELIEVED_MS:
                raise
            self._checked[digest] = replace(before, asked_ms=now_ms)
            return before.key
        if found is None:
            self._checked.pop(digest, None)
        else:
            self._checked[digest] = _Checked(key=found, asked_ms=now_ms, known_ms=now_ms)
        return found

    def _stored(self, digest: str) -> ApiKey | None:
        query = sa.select(tables.api_keys).where(tables.api_keys.c.secret_hash == digest)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _key(row)


def community_of(secret: str) -> str:
    """The community that a key names, empty for the one without a name. Nothing is checked.

    >>> community_of("inh_book-club.2x"), community_of("inh_2x"), community_of("nonsense")
    ('book-club', '', '')
    """
    name, dot, _ = secret.removeprefix(_PREFIX).partition(_DOT)
    return name if dot else ""


def unknown_key() -> AccessError:
    """What is answered to every key that is not known, whatever it is that is not known."""
    return AccessError(
        "no valid API key; send `Authorization: Bearer inh_…`, made by `inhouse keys create`"
    )


def _prefix(community: str) -> str:
    return f"{_PREFIX}{community}{_DOT}" if community else _PREFIX


def _hash(secret: str) -> str:
    # The secret has 256 random bits, so a plain fast hash is as safe as a slow one.
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: sa.Row[tuple[object, ...]]) -> ApiKey:
    values = row._mapping
    return ApiKey(
        key_id=values["key_id"],
        name=values["name"],
        scopes=frozenset(values["scopes"].split()),
        created_ms=values["created_ms"],
        revoked_ms=values["revoked_ms"],
        keeps_calls=values["keeps_calls"],
    )
