"""inhouse doctor: is everything as it should be, and what is set."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from inhouse.app.build import Services, open_services
from inhouse.app.communities import chosen_settings, names_in, settings_of
from inhouse.app.roles.lag import FAR_BEHIND, MOST_COUNTED, lag_of
from inhouse.app.settings import Settings, all_rows
from inhouse.cli.audit import time_of
from inhouse.cli.output import FAILED, Json, console, print_json, show
from inhouse.core.clock import MINUTE_MS
from inhouse.core.errors import InhouseError, SettingError
from inhouse.models.dependence.readiness import retirement_in_words, retirements
from inhouse.moderation.judging.breaker import open_breakers, opening_in_words
from inhouse.moderation.past.adoption import is_in_force, latest_adoption
from inhouse.moderation.recording.audit import head_of
from inhouse.moderation.recording.audited import check_verdicts
from inhouse.moderation.recording.sealed import REPORT_DUTY
from inhouse.moderation.reviewing.queues import GRAVEST
from inhouse.store.chain import Head
from inhouse.store.database import has_store

_LEAST_FREE_BYTES = 1_000_000_000
_QUIET_MS = MINUTE_MS  # posts that nobody judges for so long have no worker
_NO_STORE = (
    "there is none in {}; `inhouse up` makes one. Where it is elsewhere, set INHOUSE_STORE_FOLDER "
    "or come here from the folder that `inhouse up` runs in"
)
_MAY_COME_IN = ("active", "invited")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing looked at."""

    what: str
    ok: bool
    detail: str


def doctor(
    settings: Annotated[
        bool, typer.Option("--settings", help="list every setting instead")
    ] = False,
    head: Annotated[
        str | None,
        typer.Option(help="NUMBER:HASH of the audit chain as noted earlier; finds a cut-off end"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at settings, store, log, audit chain, models and disk; exit code 1 where something is
    wrong."""
    if settings:
        _show_settings(as_json=as_json)
        return
    findings = list(_findings(None if head is None else head_of(head)))
    columns = (
        ("", lambda f: "ok" if f.ok else "WRONG"),
        ("what", lambda f: f.what),
        ("detail", lambda f: f.detail),
    )
    show(findings, columns, as_json=as_json)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(FAILED)


def _findings(noted: Head | None) -> Iterator[Finding]:
    loaded = chosen_settings()  # faulty settings are an error of their own, with every fault
    yield Finding(what="settings", ok=True, detail="all can be used")
    yield _disk(loaded)
    if not has_store(loaded.store):
        yield Finding(what="store", ok=False, detail=_NO_STORE.format(loaded.folder.absolute()))
        return  # nothing is made here: whoever asks in the wrong folder is to be told so
    with open_services(loaded) as services:
        try:
            yield _store(services)
        except InhouseError as error:
            yield Finding(what="store", ok=False, detail=str(error))
            return  # all others are questions to it
        checks: dict[str, Callable[[Services], Finding]] = {
            "moderation": _moderation,
            "circuit breaker": _breaker,
            "staff": _staff,
            "sealed": _sealed,
            "audit": lambda services: _audit(services, noted),
            "verdicts": _verdicts,
            "worker": _worker,
            "feed model": _snapshot,
            "vendors": _vendors,
            "retirements": _retirements,
        }
        if not loaded.community:
            checks["communities"] = _communities
        for name, check in checks.items():
            try:
                yield check(services)
            except InhouseError as error:
                yield Finding(what=name, ok=False, detail=str(error))


def _disk(loaded: Settings) -> Finding:
    folder = loaded.folder.absolute()
    there = next(path for path in (folder, *folder.parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    detail = f"{free / 1e9:,.1f} GB free at {there}"
    return Finding(what="disk", ok=free > _LEAST_FREE_BYTES, detail=detail)


def _store(services: Services) -> Finding:
    items, users = services.catalog.counts()
    detail = f"{services.database.dialect}, {items:,} items, {users:,} users, "
    detail += f"log at {services.log.last_offset():,}"
    return Finding(what="store", ok=True, detail=detail)


def _moderation(services: Services) -> Finding:
    with services.database.read() as connection:
        latest = latest_adoption(connection)
    held = f"policy {latest.policy.version}" if latest else "what they started with"
    try:
        rules = services.rules
    except SettingError as error:
        there = services.rules_of_before() is not None
        start = "keeps it too" if there else "refuses to"
        detail = f"{error}\nservers that run keep {held}; one that starts now {start}"
        return Finding(what="moderation", ok=False, detail=detail)
    waiting = sum(count.open for count in services.review.counts())
    detail = f"policy {rules.policy.version}, {waiting:,} cases wait for a person"
    if latest is not None and not is_in_force(rules, latest):
        detail += (
            f"; the worker last took up {held}, and hears of this within seconds where it runs"
        )
    return Finding(what="moderation", ok=True, detail=detail)


def _breaker(services: Services) -> Finding:
    standing = open_breakers(services.database)
    words = "; ".join(opening_in_words(event) for event in standing)
    advice = "look at what was removed, then `inhouse moderate breaker reset`"
    detail = f"open: {words}; {advice}" if standing else "closed"
    return Finding(what="circuit breaker", ok=not standing, detail=detail)


def _staff(services: Services) -> Finding:
    names = {queue.name: queue.asks_two for queue in services.queues.list()}
    by_itself = {name: True for name in services.policy.categories if name in GRAVEST}
    two = sorted(name for name, asks in {**by_itself, **names}.items() if asks)
    members = [member for member in services.staff.list() if member.state in _MAY_COME_IN]
    if members:
        detail = f"{len(members):,} with names"
        if services.settings.console.password:
            detail += "; INHOUSE_CONSOLE_PASSWORD opens nothing any more, take it out"
        return Finding(what="staff", ok=True, detail=detail)
    detail = "no names: whoever uses this machine decides under any name they type"
    if two:
        detail += (
            f", and in {', '.join(two)} two people must agree, who may be one; "
            "add staff with `inhouse staff add NAME --role operator`"
        )
    return Finding(what="staff", ok=not two, detail=detail)


def _sealed(services: Services) -> Finding:
    due, whole = services.sealed.list(due=True), len(services.sealed.list())
    if due:
        since = time_of(due[0].at_ms)[:10]
        detail = f"{len(due):,} of {whole:,} sealed posts not reported, the first since {since}. "
        return Finding(what="sealed", ok=False, detail=detail + REPORT_DUTY)
    return Finding(what="sealed", ok=True, detail=f"{whole:,} sealed posts, no duty is open")


def _audit(services: Services, noted: Head | None) -> Finding:
    checked = services.audit.check(noted)
    if checked.fault is not None:
        detail = f"{checked.fault.detail}; keep a copy of the database and find out who wrote to it"
        return Finding(what="audit", ok=False, detail=detail)
    detail = f"{checked.rows:,} decisions, chain whole, {checked.blanked:,} blanked by erasures"
    return Finding(what="audit", ok=True, detail=f"{detail}, head {checked.head}")


def _verdicts(services: Services) -> Finding:
    checked = check_verdicts(services.database)
    if checked.fault is not None:
        detail = f"{checked.fault}; keep a copy of the database and find out who wrote to it"
        return Finding(what="verdicts", ok=False, detail=detail)
    older = f", {checked.earlier:,} are older than the chain" if checked.earlier else ""
    detail = f"{checked.verdicts:,} are what the audit chain tells{older}"
    return Finding(what="verdicts", ok=True, detail=detail)


def _worker(services: Services) -> Finding:
    services.catch_clock_up()
    lag = lag_of(services.database)
    if not lag.posts_awaiting:
        return Finding(what="worker", ok=True, detail="no post waits for a verdict")
    more = "at least " if lag.posts_awaiting >= MOST_COUNTED else ""
    detail = f"{more}{lag.posts_awaiting:,} posts wait for a verdict and are shown nowhere"
    quiet_ms = services.clock.now_ms() - (lag.judged_ms or 0)
    if lag.judged_ms is not None and quiet_ms < _QUIET_MS:
        return Finding(what="worker", ok=True, detail=f"{detail}, it is at them")
    since = "ever" if lag.judged_ms is None else f"since {time_of(lag.judged_ms)}"
    detail += f"; none got one {since}: see whether the role worker runs and what its log says"
    return Finding(what="worker", ok=False, detail=detail)


def _snapshot(services: Services) -> Finding:
    current = services.snapshots.current()
    if current is None:
        return Finding(what="feed model", ok=True, detail="none yet; feeds go by content and heat")
    services.snapshots.load(current)
    behind = lag_of(services.database).events_not_learned
    detail = f"{current}, checksum right, {behind:,} events behind the log"
    if behind > FAR_BEHIND:
        detail += "; see whether the role learner runs and what its log says"
    return Finding(what="feed model", ok=behind <= FAR_BEHIND, detail=detail)


def _vendors(services: Services) -> Finding:
    names = services.fleet.vendors
    detail = ", ".join(names) or "none configured: term banks and owned models judge alone"
    return Finding(what="vendors", ok=True, detail=detail)


def _retirements(services: Services) -> Finding:
    found = retirements(services.deployments, services.clock.now_ms())
    soon = [one for one in found if one.soon]
    detail = "; ".join(map(retirement_in_words, soon or found[:1])) or "none known"
    if soon:
        detail += "; choose another model in vendors.toml, or let your own take over"
    elif found:
        detail += "; `retires` in vendors.toml says so"
    return Finding(what="retirements", ok=not soon, detail=detail)


def _communities(services: Services) -> Finding:
    home = services.settings
    names = names_in(home)
    for name in names:
        with open_services(settings_of(home, name)) as one:
            one.log.last_offset()
    detail = ", ".join(names) or "none with a name"
    return Finding(what="communities", ok=True, detail=detail)


def _show_settings(*, as_json: bool) -> None:
    rows = all_rows()
    if as_json:
        print_json(rows)
        return
    columns = (
        ("variable", lambda r: r.variable),
        ("value", lambda r: os.environ.get(r.variable, r.default)),
        ("unit", lambda r: r.unit),
        ("what it is", lambda r: r.help),
    )
    show(rows, columns, as_json=False)
    console.print("inhouse.toml may set them too: [package] sections, name = value")
