"""Rate limits of API keys: calls and tokens a minute, the same for all processes of a machine.

The limits are rows, the counts a file (`windows`). A call is let in where both are within, and its
tokens are counted by a guess: a quarter of its bytes, and the longest answer it asks for where it
names one. When its usage is told it takes the guess's place; so what is over the limit is at most
by how much the guesses of calls under way were too low.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import Clock
from inhouse.core.errors import InputError, LimitedError, UnknownError
from inhouse.models.bounds.known import Known
from inhouse.models.bounds.windows import PLACES, Share, Used, Windows, share_of
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import upsert

MOST_A_MINUTE: Final = 1_000_000_000
_BYTES_PER_TOKEN: Final = 4
_FILE: Final = "limits.bin"


@dataclass(frozen=True, kw_only=True, slots=True)
class RateLimit:
    """What a key may use in a minute."""

    key_id: str
    requests: int | None  # calls; None unbounded
    tokens: int | None  # in and out together; None unbounded
    place: int  # of its counts


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How a key stands behind a call that was let in; None where there is no such limit."""

    requests: Share | None
    tokens: Share | None

    def headers(self) -> dict[str, str]:
        """As OpenAI names them."""
        told: dict[str, str] = {}
        for name, share in (("requests", self.requests), ("tokens", self.tokens)):
            if share is not None:
                told[f"x-ratelimit-limit-{name}"] = str(share.limit)
                told[f"x-ratelimit-remaining-{name}"] = str(share.left)
                told[f"x-ratelimit-reset-{name}"] = f"{share.reset_s}s"
        return told


class Lease:
    """A call that was let in: what it was counted as, until its usage is told."""

    def __init__(self, limits: "Limits", place: int, counted: Used, standing: Standing) -> None:
        """place: of the key's counts. counted: the call, and its guess."""
        self.standing = standing
        self._limits, self._place, self._second = limits, place, counted.second
        self._counted, self._told = counted.tokens, 0

    def settle(self, tokens: int) -> None:
        """One of its attempts used so many; where nobody tells, the guess stays."""
        self._told += tokens
        more, self._counted = self._told - self._counted, self._told
        if more:
            self._limits.correct(self._place, self._second, more)


class Limits:
    """The rate limits of one community."""

    def __init__(self, database: Database, clock: Clock, folder: Path) -> None:
        """clock: the machine's; calls are made in real time. folder: the community's data."""
        self._database = database
        self._clock = clock
        self._windows = Windows(folder / _FILE)
        self._known: Known[Mapping[str, RateLimit]] = Known(
            lambda: {limit.key_id: limit for limit in self.all()}
        )

    def set(self, key_id: str, requests: int | None, tokens: int | None) -> RateLimit:
        """Give a key limits, or others; what was counted stays counted.

        Raises UnknownError where there is no such key, InputError for a number out of range.
        """
        for name, number in (("requests", requests), ("tokens", tokens)):
            if number is not None and not 1 <= number <= MOST_A_MINUTE:
                raise InputError(f"{name} a minute: got {number}, expected 1 to {MOST_A_MINUTE:,}")
        if requests is None and tokens is None:
            raise InputError("a limit needs requests a minute, tokens a minute, or both")

        def write(connection: Connection) -> int:
            keys, table = tables.api_keys, tables.rate_limits
            if connection.execute(sa.select(keys).where(keys.c.key_id == key_id)).first() is None:
                raise UnknownError(f"no key {key_id!r}; `inhouse keys list` shows them")
            query = sa.select(table.c.key_id, table.c.place)
            taken = {row.key_id: row.place for row in connection.execute(query)}
            place = taken.get(key_id)
            if place is None:
                place = _free(set(taken.values()))
            row = {"key_id": key_id, "requests": requests, "tokens": tokens, "place": place}
            upsert(connection, table, [row])
            return place

        place = self._database.write(write)
        return RateLimit(key_id=key_id, requests=requests, tokens=tokens, place=place)

    def remove(self, key_id: str) -> None:
        """Let a key ask as often as it likes. Raises UnknownError where it has no limit."""
        table = tables.rate_limits

        def write(connection: Connection) -> int | None:
            chosen = table.c.key_id == key_id
            place = connection.execute(sa.select(table.c.place).where(chosen)).scalar()
            connection.execute(table.delete().where(chosen))
            return place

        place = self._database.write(write)
        if place is None:
            raise UnknownError(f"the key {key_id!r} has no rate limit")
        with self._windows.locked(place) as counts:
            counts.clear()

    def all(self) -> list[RateLimit]:
        """Every limit there is."""
        query = sa.select(tables.rate_limits).order_by("key_id")
        with self._database.read() as connection:
            return [RateLimit(**row) for row in connection.execute(query).mappings()]

    async def let_in(self, key_id: str, most_tokens_in: int, tokens_out: int) -> Lease | None:
        """Count a call; None where its key has no limit. Raises LimitedError where it has to wait.

        most_tokens_in: as many as its bytes. tokens_out: that it asks for, 0 where it names none.
        """
        limit = (await self._known.get()).get(key_id)
        if limit is None:
            return None
        wanted = -(-most_tokens_in // _BYTES_PER_TOKEN) + tokens_out
        now_s = self._clock.now_ms() // 1_000
        with self._windows.locked(limit.place) as counts:
            used = counts.used(now_s)
            before = _standing(limit, used, wanted, now_s)
            if wait_s := _wait_s(before):
                raise _limited(before, wait_s)
            counts.add(now_s, now_s, 1, wanted)
            used = counts.used(now_s)
        counted = Used(second=now_s, calls=1, tokens=wanted)
        return Lease(self, limit.place, counted, _standing(limit, used, 0, now_s))

    def correct(self, place: int, second: int, tokens: int) -> None:
        """A call of that second used so many more tokens than were counted, or fewer."""
        now_s = self._clock.now_ms() // 1_000
        with self._windows.locked(place) as counts:
            counts.add(second, now_s, 0, tokens)

    def close(self) -> None:
        """Let go of the file."""
        self._windows.close()


def _free(taken: set[Any]) -> int:
    place = next((one for one in range(PLACES) if one not in taken), None)
    if place is None:
        raise InputError(f"{PLACES:,} keys have limits, no more can; remove some first")
    return place


def _standing(limit: RateLimit, used: Sequence[Used], wanted: int, now_s: int) -> Standing:
    calls = [(one.second, one.calls) for one in used if one.calls]
    tokens = [(one.second, one.tokens) for one in used if one.tokens]
    requests_left, tokens_left = limit.requests, limit.tokens
    return Standing(
        requests=None
        if requests_left is None
        else share_of(requests_left, 1 if wanted else 0, calls, now_s),
        tokens=None if tokens_left is None else share_of(tokens_left, wanted, tokens, now_s),
    )


def _wait_s(standing: Standing) -> int:
    shares = (standing.requests, standing.tokens)
    return max(share.wait_s for share in shares if share is not None)


def _limited(standing: Standing, wait_s: int) -> LimitedError:
    shares = {"calls": standing.requests, "tokens": standing.tokens}
    full = next(name for name, share in shares.items() if share and share.wait_s)
    share = shares[full]
    assert share is not None
    return LimitedError(
        f"the key may use {share.limit:,} {full} a minute and {share.left:,} are left; ask again "
        f"in {wait_s} s",
        retry_after_s=wait_s,
        headers=standing.headers(),
    )
