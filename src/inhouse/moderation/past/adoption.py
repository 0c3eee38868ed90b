"""Policies in force, one after the other, kept whole: what an earlier one decided can be told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.moderation.policy.types import Policy
from inhouse.moderation.settings import ModerationSettings
from inhouse.moderation.tools import Rules, rules_of_before
from inhouse.store import tables
from inhouse.store.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Adoption:
    """A policy that came into force."""

    policy: Policy
    reader_version: str  # of the reader and its term banks at that time
    at_ms: int


def adoptions(connection: Connection, limit: int = 20) -> list[Adoption]:
    """The latest ones, the newest first."""
    table = tables.policies
    query = sa.select(table).order_by(table.c.log_offset.desc()).limit(limit)
    return [
        Adoption(
            policy=_DECODER.decode(row.body), reader_version=row.reader_version, at_ms=row.at_ms
        )
        for row in connection.execute(query)
    ]


def is_in_force(rules: Rules, latest: Adoption | None) -> bool:
    """Whether the latest adoption is of these very rules."""
    if latest is None:
        return False
    known = latest.policy.version, latest.reader_version
    return known == (rules.policy.version, rules.reader.version)


def latest_adoption(connection: Connection) -> Adoption | None:
    """The last one; None where there is none, or one that another version of this program wrote in
    a way that cannot be read here."""
    try:
        return next(iter(adoptions(connection, 1)), None)
    except msgspec.DecodeError:
        return None


def taken_up_last(database: Database, settings: ModerationSettings, kept: Path) -> Rules | None:
    """The rules of the last adoption, whatever the policy's file is now; None where there is none,
    or no term bank can be used. kept: see `load_rules`."""
    with database.read() as connection:
        latest = latest_adoption(connection)
    if latest is None:
        return None
    return rules_of_before(settings, latest.policy, latest.reader_version, kept)


def adopt(connection: Connection, rules: Rules, now_ms: int) -> None:
    """Note that these rules are in force from now on, in the caller's transaction."""
    row = {
        "version": rules.policy.version,
        "reader_version": rules.reader.version,
        "at_ms": now_ms,
        "body": _ENCODER.encode(rules.policy).decode(),
    }
    connection.execute(tables.policies.insert(), row)


def _as_dict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"a policy holds a {type(value).__name__}")


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_as_dict)
_DECODER: Final = msgspec.json.Decoder(Policy)
