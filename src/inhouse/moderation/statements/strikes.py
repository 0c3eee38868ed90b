"""Strikes: decisions on posts count against their author's account, less and less with time.

Nothing is kept beside the statements of reasons. A strike is the last statement on a text, unless
it was reversed: so undoing and granting an appeal take it back by themselves. Points are

    sum of  category's weight x severity x 0.5^(age / half-life)

Where they reach a threshold, the account is restricted for some days, with a statement of its own;
a policy sees that, and the points, as signals of the author's new posts.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import DAY_MS, Clock
from inhouse.core.ids import UserId, new_id
from inhouse.moderation.policy.rights import Rights
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.signals.counted import LIMITED, STRIKES, SUSPENDED
from inhouse.moderation.statements.keep import end, insert, statement_of_row
from inhouse.moderation.statements.types import REDRESS_MS, Kind, Reasons, Statement
from inhouse.moderation.statements.words import REDRESS, account_facts
from inhouse.moderation.tools import Tools
from inhouse.store import chain, tables
from inhouse.store.database import Database

Level = Literal["none", "limited", "suspended"]

CONDUCT: Final = "conduct"  # the category of what an account is restricted for
# How much a restriction counts beside a removal. Waiting for a person is no verdict yet.
SEVERITY: Final[Mapping[str, float]] = MappingProxyType(
    {"removed": 1.0, "demoted": 0.25, "age_restricted": 0.25, "labelled": 0.0, "disabled": 0.0}
)
_KINDS: Final[Mapping[Level, Kind]] = MappingProxyType(
    {"limited": "account_limited", "suspended": "account_suspended"}
)
_LEVELS: Final[tuple[Level, ...]] = ("none", "limited", "suspended")
_CHUNK: Final = 500
_FORGOTTEN_AFTER: Final = 12  # half-lives: a strike counts less than a four-thousandth then
_EXPLANATION: Final = (
    "Whoever breaks the rules of this community again and again may be restricted for a while."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Strike:
    """One decision that counts."""

    statement_id: str
    item_id: str
    at_ms: int
    category: str
    weight: float  # when it was made
    points: float  # now


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How an account stands."""

    user_id: UserId
    points: float
    level: Level
    until_ms: int | None  # when the restriction of the account ends; None without one
    strikes: tuple[Strike, ...]  # newest first


class Strikes:
    """Reads of the strikes of one community."""

    def __init__(self, database: Database, clock: Clock, tools: Tools) -> None:
        self.tools = tools  # may be replaced
        self._database = database
        self._clock = clock

    def of(self, user_id: str) -> Standing:
        """How an account stands now; one without strikes has none."""
        rights, now_ms = self.tools.rules.policy.rights, self._clock.now_ms()
        with self._database.read() as connection:
            told = _statements(connection, [user_id], rights, now_ms).get(UserId(user_id), [])
        return standing_of(UserId(user_id), told, rights, now_ms)


def standing_of(
    user_id: UserId, told: Sequence[Statement], rights: Rights, now_ms: int
) -> Standing:
    """How an account stands by its statements: pure."""
    strikes = strikes_of(told, rights, now_ms)
    restricted = _account(told, now_ms)
    return Standing(
        user_id=user_id,
        points=sum(strike.points for strike in strikes),
        level="none" if restricted is None else _level(restricted),
        until_ms=None if restricted is None else restricted.reasons.until_ms,
        strikes=strikes,
    )


def strikes_of(told: Iterable[Statement], rights: Rights, now_ms: int) -> tuple[Strike, ...]:
    """What counts at a moment, newest first: of each text the last statement, unless it was
    reversed. Statements from later than the moment do not count."""
    last: dict[tuple[str, str], Statement] = {}
    for statement in sorted(told, key=lambda each: (each.at_ms, each.statement_id)):
        if statement.item_id is not None and statement.at_ms <= now_ms:
            last[statement.item_id, statement.text_key] = statement
    strikes = []
    for (item_id, _), statement in last.items():
        weight = _weight(statement, rights)
        if statement.state in ("in_force", "ended") and weight > 0:
            age = (now_ms - statement.at_ms) / (rights.strikes.half_life_days * DAY_MS)
            strike = Strike(
                statement_id=statement.statement_id,
                item_id=item_id,
                at_ms=statement.at_ms,
                category=statement.category,
                weight=weight,
                points=weight * 0.5**age,
            )
            strikes.append(strike)
    return tuple(sorted(strikes, key=lambda strike: (-strike.at_ms, strike.statement_id)))


def creator_signals(
    connection: Connection, user_ids: Iterable[str], policy: Policy, now_ms: int
) -> dict[UserId, dict[str, int]]:
    """What policies may ask about authors; authors without strikes are absent."""
    told = _statements(connection, sorted(set(user_ids)), policy.rights, now_ms)
    found = {}
    for user_id, statements in told.items():
        standing = standing_of(user_id, statements, policy.rights, now_ms)
        signals = {
            STRIKES: int(standing.points),
            LIMITED: int(standing.level == "limited"),
            SUSPENDED: int(standing.level == "suspended"),
        }
        found[user_id] = {name: value for name, value in signals.items() if value}
    return found


def keep_accounts(
    connection: Connection, user_ids: Iterable[UserId], policy: Policy, made_ms: tuple[int, int]
) -> None:
    """Restrict accounts whose points reach a threshold, and take back restrictions that rested on
    decisions since reversed; in the transaction of those decisions, made from the first to the last
    of `made_ms`."""
    rights, (since_ms, now_ms) = policy.rights, made_ms
    for user_id, told in _statements(connection, sorted(set(user_ids)), rights, now_ms).items():
        standing = _account(told, now_ms)
        if standing is not None and not _still_founded(standing, told, rights):
            _end(connection, standing, "reversed", now_ms)
            standing = None
        strikes = strikes_of(told, rights, now_ms)
        fresh = any(strike.at_ms >= since_ms for strike in strikes)
        points = sum(strike.points for strike in strikes)
        wanted = _level_at(points, rights)
        now = "none" if standing is None else _level(standing)
        if fresh and _LEVELS.index(wanted) > _LEVELS.index(now):
            if standing is not None:
                _end(connection, standing, "replaced", now_ms)
            _restrict(connection, _made(user_id, wanted, (points, policy), now_ms))


def end_expired(connection: Connection, now_ms: int) -> int:
    """End restrictions of accounts whose time is up. Returns how many there were."""
    table = tables.statements
    query = sa.select(table).where(table.c.state == "in_force", table.c.item_id.is_(None))
    over = [
        statement
        for statement in map(statement_of_row, connection.execute(query))
        if statement.reasons.until_ms is not None and statement.reasons.until_ms <= now_ms
    ]
    for statement in over:
        _end(connection, statement, "ended", statement.reasons.until_ms or now_ms)
    return len(over)


def _statements(
    connection: Connection, user_ids: Sequence[str], rights: Rights, now_ms: int
) -> dict[UserId, list[Statement]]:
    """Statements young enough to count, by person: of posts that were restricted because the
    account was, there may be many, and none counts."""
    table = tables.statements
    counts = table.c.item_id.is_(None) | (table.c.category != CONDUCT)
    since_ms = now_ms - round(_FORGOTTEN_AFTER * rights.strikes.half_life_days * DAY_MS)
    found: dict[UserId, list[Statement]] = {}
    for start in range(0, len(user_ids), _CHUNK):
        some = user_ids[start : start + _CHUNK]
        query = sa.select(table).where(table.c.user_id.in_(some), table.c.at_ms >= since_ms, counts)
        for row in connection.execute(query):
            statement = statement_of_row(row)
            found.setdefault(statement.user_id, []).append(statement)
    return found


def _weight(statement: Statement, rights: Rights) -> float:
    if statement.category == CONDUCT:
        return 0.0  # strikes breed no strikes
    severity = max((SEVERITY.get(kind, 0.0) for kind in statement.kinds), default=0.0)
    return rights.of(statement.category).strike * severity


def _account(told: Iterable[Statement], now_ms: int) -> Statement | None:
    """The restriction of the account that holds."""
    for statement in told:
        if statement.item_id is None and statement.state == "in_force":
            until_ms = statement.reasons.until_ms
            if until_ms is None or until_ms > now_ms:
                return statement
    return None


def _still_founded(standing: Statement, told: Sequence[Statement], rights: Rights) -> bool:
    """Whether the account would have been restricted as it was by what still counts."""
    then = sum(strike.points for strike in strikes_of(told, rights, standing.at_ms))
    return _LEVELS.index(_level_at(then, rights)) >= _LEVELS.index(_level(standing))


def _level_at(points: float, rights: Rights) -> Level:
    rules = rights.strikes
    if points >= rules.suspend_at:
        return "suspended"
    return "limited" if points >= rules.limit_at else "none"


def _level(statement: Statement) -> Level:
    return "suspended" if "account_suspended" in statement.kinds else "limited"


def _made(user_id: UserId, level: Level, why: tuple[float, Policy], now_ms: int) -> Statement:
    points, policy = why
    kind, rules = _KINDS[level], policy.rights.strikes
    days = rules.suspend_days if level == "suspended" else rules.limit_days
    reasons = Reasons(
        facts=account_facts(points, kind, days),
        explanation=_EXPLANATION,
        ground="terms",
        ground_reference=f"policy {policy.name}, strikes",
        automated_detection=True,
        automated_decision="fully",
        source="own",
        redress=REDRESS,
        redress_until_ms=now_ms + REDRESS_MS,
        dsa_category="OTHER_VIOLATION_TC",
        dsa_keyword=None,
        content_kind="account",
        content_ms=0,
        language=None,
        until_ms=now_ms + days * DAY_MS,
    )
    return Statement(
        statement_id=new_id("statement"),
        at_ms=now_ms,
        user_id=user_id,
        item_id=None,
        text_key="",
        kinds=(kind,),
        category=CONDUCT,
        decided_by="rule:strikes",
        policy_version=policy.version,
        reasons=reasons,
    )


def _restrict(connection: Connection, statement: Statement) -> None:
    insert(connection, [statement])
    _note(connection, statement, statement.at_ms)


def _end(
    connection: Connection,
    statement: Statement,
    state: Literal["replaced", "ended", "reversed"],
    now_ms: int,
) -> None:
    end(connection, statement, state, now_ms)
    _note(connection, dataclasses.replace(statement, state=state), now_ms)


def _note(connection: Connection, statement: Statement, now_ms: int) -> None:
    details: dict[str, object] = {
        "level": _level(statement),
        "state": statement.state,
        "statement": statement.statement_id,
        "until_ms": statement.reasons.until_ms,
        "policy": statement.policy_version,
    }
    entry = chain.Entry(
        at_ms=now_ms,
        what="strike",
        actor="rule:strikes",
        user_id=statement.user_id,
        details=details,
    )
    chain.append(connection, [entry])
