"""Is everything well: the API, the log, the model, moderation. Every light says why it is on."""

import json
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from typing import Any, Final, Literal
from urllib.request import Request, urlopen

import sqlalchemy as sa

from inhouse.app.build import Services
from inhouse.app.roles.lag import FAR_BEHIND, MOST_COUNTED, lag_of
from inhouse.app.settings import ApiSettings
from inhouse.console.feed_page import api_url
from inhouse.console.private import feed_key
from inhouse.console.words import ago, count, plural, shortened, span
from inhouse.core.clock import HOUR_MS, MINUTE_MS, SystemClock
from inhouse.core.ids import SnapshotId
from inhouse.learning.snapshots.snapshot import SnapshotStore
from inhouse.moderation.judging.breaker import BreakerEvent, open_breakers, opening_in_words
from inhouse.store import tables
from inhouse.store.database import Database

_PATIENCE_S: Final = 3.0  # a stopped API refuses at once; only a busy one is waited for
_OLD_CASE_MS: Final = 24 * HOUR_MS
_QUIET_MS: Final = 30 * MINUTE_MS

State = Literal["good", "warn", "bad", ""]


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiHealth:
    """What the API says of itself."""

    items: int  # in its state
    people: int  # in its state
    log_offset: int  # how much of the log is in its state
    snapshot_id: str | None  # the model it ranks with


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelHealth:
    """The newest published snapshot."""

    snapshot_id: SnapshotId
    log_offset: int  # of the last event it learned from
    created_ms: int  # when it was trained, by the community's clock


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthFacts:
    """What the lights are computed from."""

    now_ms: int  # by the community's clock
    wall_ms: int  # by the machine's
    api_at: str  # where the API was asked
    api: ApiHealth | None  # None where it did not answer
    log_offset: int  # of the newest event, 0 where there is none
    received_ms: int | None  # when it arrived, by the machine's clock
    model: ModelHealth | None  # None before the first snapshot
    awaiting: int  # posts that are new or changed and not judged yet, counted up to a bound
    queue: int  # open cases
    oldest_case_ms: int | None  # when the oldest open case was opened
    breakers: tuple[BreakerEvent, ...] = ()  # where rules removed too much and people are asked
    duties: int = 0  # sealed posts that nobody has reported yet
    rules_trouble: str | None = None  # why changed rules are not taken up


@dataclass(frozen=True, kw_only=True, slots=True)
class Light:
    """One thing that is well or not."""

    name: str
    state: State
    value: str
    remark: str


def gather_health(services: Services, now_ms: int) -> HealthFacts:
    """Look at everything once."""
    at = api_url(services.settings.api, "127.0.0.1")
    offset, received_ms = _newest_event(services.database)
    queue, oldest_ms = _open_cases(services.database)
    return HealthFacts(
        now_ms=now_ms,
        wall_ms=SystemClock().now_ms(),
        api_at=at,
        api=ask_api(services.settings.api, _key(services)),
        log_offset=offset,
        received_ms=received_ms,
        model=_model(services),
        awaiting=lag_of(services.database).posts_awaiting,
        queue=queue,
        oldest_case_ms=oldest_ms,
        breakers=tuple(open_breakers(services.database)),
        duties=services.sealed.due(),
        rules_trouble=services.rules_watch.trouble,
    )


def ask_api(settings: ApiSettings, key: str) -> ApiHealth | None:
    """The API's own word on the state of the community whose key is given, None where it has none.

    One process of the API serves many: without the key it would tell of another.
    """
    headers = {"authorization": f"Bearer {key}"}
    request = Request(f"{api_url(settings, '127.0.0.1')}/v1/state", headers=headers)
    try:
        with urlopen(request, timeout=_PATIENCE_S) as answer:
            told: dict[str, Any] = json.load(answer)
        return ApiHealth(
            items=told["items"],
            people=told["people"],
            log_offset=told["log_offset"],
            snapshot_id=told.get("snapshot_id"),
        )
    except (OSError, HTTPException, ValueError, KeyError):
        return None


def lights(facts: HealthFacts) -> list[Light]:
    """Every light with its reason; what the law asks for comes first, where it asks."""
    usual = [_api(facts), _log(facts), _model_light(facts), _awaiting(facts), _queue(facts)]
    always = usual + [_breaker(event) for event in facts.breakers]
    if facts.rules_trouble is not None:
        always.append(_rules(facts.rules_trouble))
    return [_duty(facts), *always] if facts.duties else always


def _breaker(event: BreakerEvent) -> Light:
    remark = f"{opening_in_words(event)}; look at them, then inhouse moderate breaker reset"
    return Light(name="Circuit breaker", state="bad", value="open", remark=remark)


def _rules(trouble: str) -> Light:
    remark = f"{shortened(trouble.partition(chr(10))[0], 80)}; the rules of before stay in force"
    return Light(name="Changed rules", state="bad", value="not taken up", remark=remark)


def _duty(facts: HealthFacts) -> Light:
    value = f"{plural(facts.duties, 'sealed post')} to report"
    remark = "the law sets no long time; inhouse moderate sealed list says what to do"
    return Light(name="Legal duty", state="bad", value=value, remark=remark)


def _api(facts: HealthFacts) -> Light:
    if facts.api is None:
        remark = f"no answer at {facts.api_at}; start it with inhouse up"
        return Light(name="API", state="bad", value="down", remark=remark)
    behind = max(0, facts.log_offset - facts.api.log_offset)
    state: State = "warn" if behind > FAR_BEHIND else "good"
    told = f"{plural(facts.api.items, 'post')}, {plural(facts.api.people, 'person', 'people')}"
    late = f", {plural(behind, 'event')} behind" if behind > 1_000 else ""
    return Light(name="API", state=state, value="answers", remark=told + late)


def _log(facts: HealthFacts) -> Light:
    if facts.received_ms is None:
        return Light(name="Log", state="", value="empty", remark="waiting for the first event")
    quiet = facts.wall_ms - facts.received_ms > _QUIET_MS
    return Light(
        name="Log",
        state="warn" if quiet else "good",
        value=count(facts.log_offset),
        remark=f"events, the latest {ago(facts.received_ms, facts.wall_ms)}",
    )


def _model_light(facts: HealthFacts) -> Light:
    model = facts.model
    if model is None:
        remark = "feeds are by popularity until the learner publishes its first model"
        return Light(name="Feed model", state="warn", value="none yet", remark=remark)
    behind = max(0, facts.log_offset - model.log_offset)
    old = behind > FAR_BEHIND
    served = facts.api is None or facts.api.snapshot_id == model.snapshot_id
    remark = f"{shortened(model.snapshot_id, 24)}, {plural(behind, 'event')} behind the log"
    return Light(
        name="Feed model",
        state="warn" if old else "good",
        value=f"{span(max(0, facts.now_ms - model.created_ms))} old",
        remark=remark if served else f"{remark}; the API is about to take it",
    )


def _awaiting(facts: HealthFacts) -> Light:
    number = facts.awaiting
    more = "at least " if number >= MOST_COUNTED else ""
    return Light(
        name="Awaiting a verdict",
        state="good" if number < 100 else "warn",
        value=f"{more}{count(number)}",
        remark="posts, shown nowhere until judged" if number else "every post is judged",
    )


def _queue(facts: HealthFacts) -> Light:
    if not facts.queue:
        return Light(
            name="Review queue", state="good", value="0", remark="nobody waits for a person"
        )
    if facts.oldest_case_ms is None:
        return Light(
            name="Review queue", state="good", value=count(facts.queue), remark="open cases"
        )
    waits = facts.now_ms - facts.oldest_case_ms
    return Light(
        name="Review queue",
        state="warn" if waits > _OLD_CASE_MS else "good",
        value=count(facts.queue),
        remark=f"open cases, the oldest waits for {span(max(0, waits))}",
    )


def _key(services: Services) -> str:
    return feed_key(services.keys, services.settings.folder)


def _model(services: Services) -> ModelHealth | None:
    current = services.snapshots.current()
    return None if current is None else _facts_of(services.snapshots, current)


@lru_cache(maxsize=4)
def _facts_of(store: SnapshotStore, snapshot_id: SnapshotId) -> ModelHealth:
    """A published snapshot never changes, so it is read once."""
    facts = store.load(snapshot_id).facts
    return ModelHealth(
        snapshot_id=snapshot_id, log_offset=facts.log_offset, created_ms=facts.created_ms
    )


def _newest_event(database: Database) -> tuple[int, int | None]:
    events = tables.events.c
    newest = (
        sa.select(events.log_offset, events.received_ms).order_by(events.log_offset.desc()).limit(1)
    )
    with database.read() as connection:
        row = connection.execute(newest).one_or_none()
    return (0, None) if row is None else (row[0], row[1])


def _open_cases(database: Database) -> tuple[int, int | None]:
    cases = tables.review_cases.c
    # A case opened before the community's clock had heard of any event has no known age.
    known = sa.case((cases.opened_ms > 0, cases.opened_ms))
    query = sa.select(sa.func.count(), sa.func.min(known)).where(cases.state == "open")
    with database.read() as connection:
        row = connection.execute(query).one()
    return row[0], row[1]
