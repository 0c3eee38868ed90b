"""What tests of drills share: a drill, a call of it, two vendors and a hasty gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.models.models_vendor import NOW_MS, QUICK, Vendor, deployment

from inhouse.core.clock import FollowingClock
from inhouse.models.asking.fleet import open_fleet
from inhouse.models.asking.gateway import Gateway
from inhouse.models.drill.types import Drill, Noted
from inhouse.models.owned.registry import Registry
from inhouse.models.parity.gate import Parity, Verdict
from inhouse.models.providers.faults import Cut, Switch
from inhouse.models.settings import ModelSettings
from inhouse.models.types import Deployment
from inhouse.store.database import Database

HASTY = ModelSettings(timeout_ms=100, deadline_ms=300)
CUT = Cut(vendor="openai", layer="host", fault="refused")


def a_drill(**more: Any) -> Drill:
    """A live drill of openai that began at 1,000 and ended at 61,000."""
    values: dict[str, Any] = {
        "drill_id": "drill_1",
        "vendor": "openai",
        "layer": "host",
        "fault": "refused",
        "how": "live",
        "share": 1.0,
        "started_by": "Ada",
        "started_ms": 1_000,
        "until_ms": 61_000,
        "ended_ms": 61_000,
        "why_ended": "its time was up",
    }
    return Drill(**{**values, **more})


def a_call(at_ms: int, **more: Any) -> Noted:
    """One input, answered by somebody else within 10 ms."""
    values: dict[str, Any] = {
        "at_ms": at_ms,
        "process": "p",
        "task": "text_harm",
        "asked": 1,
        "answered": 1,
        "by_vendor": 0,
        "failed": 0,
        "latency_ms": 10.0,
        "cost_usd": Decimal("0.001"),
    }
    return Noted(**{**values, **more})


def a_parity(verdict: Verdict) -> Parity:
    """A report that says so."""
    return Parity(verdict=verdict, reason="why", held_out=9, more_needed=0, findings=())


def gateway_of(
    database: Database, folder: Path, deployments: list[Deployment], switch: Switch
) -> Gateway:
    """A hasty gateway with that switch."""
    fleet = open_fleet(deployments, Registry(database, folder), switch=switch)
    return Gateway(database, FollowingClock(NOW_MS), fleet, HASTY, QUICK)


@asynccontextmanager
async def two_vendors() -> AsyncIterator[tuple[Vendor, list[Deployment]]]:
    """One server that stands for two vendors, the second in for the first."""
    async with Vendor() as vendor:
        main = deployment(vendor.url, serves=("scores", "chat"), stand_ins=("other",))
        other = deployment(
            vendor.url, "other", host="elsewhere", owner="meta", serves=("scores", "chat")
        )
        yield vendor, [main, other]
