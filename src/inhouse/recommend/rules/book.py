"""Rules in the store, and the idea a process has of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.core.ids import new_id
from inhouse.recommend.rule import Rule, clash, faults_of
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.looking import Looking

_LOOK_EVERY_S: Final = 1.0


class RuleBook:
    """One community's rules. What another process changes is heard within a second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: tuple[Rule, ...] = ()
        self._looking = Looking(self._read, _LOOK_EVERY_S)

    def add(self, rule: Rule, now_ms: int) -> Rule:
        """Put a rule in force; returns it with its id.

        Raises InputError with every fault, ConflictError that names a rule it cannot stand beside.
        """
        faults = faults_of(rule)
        if faults:
            lines = "\n".join(f"  {fault}" for fault in faults)
            raise InputError(f"the rule cannot be made\n{lines}")
        made = replace(rule, rule_id=new_id("rule"), created_ms=now_ms, withdrawn_ms=None)

        def write(connection: Connection) -> None:
            for other in _stored(connection):
                ended = other.until_ms is not None and other.until_ms <= now_ms
                why = None if ended else clash(made, other)
                if why:
                    raise ConflictError(
                        f"rule {other.rule_id} forbids this: {why}; withdraw it first, or choose "
                        "another time, surface, region or arm"
                    )
            row = {"rule_id": made.rule_id, "created_ms": now_ms, "body": _encoded(made)}
            connection.execute(tables.feed_rules.insert(), {**row, "active": True})

        self._database.write(write)
        self.refresh()
        return made

    def withdraw(self, rule_id: str, now_ms: int) -> Rule:
        """Let a rule hold no longer. Twice is once. Raises UnknownError."""
        table = tables.feed_rules

        def write(connection: Connection) -> Rule:
            query = sa.select(table.c.body).where(table.c.rule_id == rule_id)
            body = connection.execute(query).scalar()
            if body is None:
                raise UnknownError(f"no rule {rule_id!r}; list them to see the ids")
            rule = msgspec.json.decode(body, type=Rule)
            if rule.withdrawn_ms is None:
                rule = replace(rule, withdrawn_ms=now_ms)
                update = table.update().where(table.c.rule_id == rule_id)
                connection.execute(update.values(body=_encoded(rule), active=False))
            return rule

        withdrawn = self._database.write(write)
        self.refresh()
        return withdrawn

    def list(self) -> list[Rule]:
        """Every rule there ever was, newest first."""
        table = tables.feed_rules
        query = sa.select(table.c.body).order_by(table.c.created_ms.desc(), table.c.rule_id.desc())
        with self._database.read() as connection:
            bodies = connection.execute(query).scalars()
            return [msgspec.json.decode(body, type=Rule) for body in bodies]

    def in_force(self, now_ms: int) -> Sequence[Rule]:
        """The rules that hold now, the oldest first. While the store refuses, of those that were
        last known; StoreError where none were heard of yet."""
        self._looking.keep_up()
        return tuple(rule for rule in self._known if rule.holds_at(now_ms))

    def refresh(self) -> None:
        """Read them again."""
        self._looking.look()

    def _read(self) -> None:
        with self._database.read() as connection:
            self._known = tuple(_stored(connection))


def _encoded(rule: Rule) -> str:
    return msgspec.json.encode(rule).decode()


def _stored(connection: Connection) -> list[Rule]:
    table = tables.feed_rules
    query = sa.select(table.c.body).where(table.c.active).order_by(table.c.created_ms)
    return [msgspec.json.decode(body, type=Rule) for body in connection.execute(query).scalars()]
