"""What is watched of a routed version, against its bounds, as HTML."""

from decimal import Decimal

from inhouse.console.bill.route_model import TaskFacts
from inhouse.console.markup import Child, Safe, join, note, table, tag
from inhouse.console.words import UNKNOWN, count, money, share
from inhouse.models.cutover.routes import Sight
from inhouse.models.cutover.watch import SLOW_SHARE, Bounds, Watched
from inhouse.models.types import Route
from inhouse.stats.detection import RateWatch

_HEADS = ("Watched since the stage began", "Now", "Bound", "Seen", "Evidence against it", "")


def watched_html(facts: TaskFacts) -> Safe | None:
    """Quality, errors, latency and drift; None while no version is routed."""
    if not facts.sights:
        return None
    tables = [_table(sight, facts.route) for sight in facts.sights]
    return join([*tables, tag("p", _checking(facts), class_="quiet small")])


def _table(sight: Sight, route: Route) -> Safe:
    watched, bounds, other = sight.watched, sight.bounds, sight.held.reference
    whom = "the rented model" if other is None else "the version that serves"
    rows = [
        _rate(f"Missed of what {whom} flags", watched.missed),
        _rate("Flagged of what it lets pass", watched.extra),
        _rate("Requests that failed", watched.errors),
        _rate(f"Requests above {bounds.latency_ms:,.0f} ms", watched.slow),
        _drift(watched, bounds),
    ]
    shown = table(_HEADS, rows, "lrrrrl")
    if route.incumbent is None:
        return shown
    role = "serves" if other is None else "is to replace it"
    return join([tag("p", tag("code", sight.held.version), f" {role}", class_="small"), shown])


def _rate(name: str, rate: RateWatch | None) -> list[Child]:
    if rate is None:
        return [name, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, note("no report to hold it against")]
    held = note("holds", "good") if rate.n else note("nothing seen yet")
    state = note("over its bound", "bad") if rate.alarmed else held
    return [
        name,
        share(rate.rate, 1),
        share(rate.bound, 1),
        count(rate.n),
        share(min(1.0, rate.evidence)),
        state,
    ]


def _drift(watched: Watched, bounds: Bounds) -> list[Child]:
    name, found = "Drift of its probabilities (PSI)", watched.drift
    if found is None:
        waits = "no report to hold it against" if bounds.judged_on is None else "not enough yet"
        return [name, UNKNOWN, f"{bounds.psi:.2f}", count(sum(watched.block)), UNKNOWN, note(waits)]
    state = note("over its bound", "bad") if watched.drifted else note("holds", "good")
    bound = bounds.psi + found.noise
    return [
        name,
        f"{found.psi:.2f}",
        f"{bound:.2f}",
        count(found.n),
        share(min(1.0, found.psi / bound)),
        state,
    ]


def _beside(route: Route) -> str:
    if not route.owned_share:
        return f"The owned model is asked besides about {share(route.shadow_share)} of all texts."
    return (
        f"The rented model is asked besides about {share(route.watch_share, 1)} of what the owned "
        f"one answers, the owned one about {share(route.shadow_share)} of the others."
    )


def _checking(facts: TaskFacts) -> str:
    spend = facts.checking
    route = facts.route
    both = f"Of {share(route.shadow_share)} of all texts both versions are asked. "
    parts = [
        _beside(route)
        if route.incumbent is None
        else f"{both}The rented model is asked about {share(route.watch_share, 1)} of what the one "
        "that serves answers.",
        f"One request in {1 / SLOW_SHARE:.0f} may take longer.",
    ]
    if facts.checking_usd_a_day and spend is not None:
        most = money(Decimal(str(facts.checking_usd_a_day)))
        parts.append(f"Checking has cost {money(spend.spent_usd)} of {most} today.")
    return " ".join(parts)
