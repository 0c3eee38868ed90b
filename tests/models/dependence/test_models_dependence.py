"""On whom it rests: shares, readiness, models that end, owning against renting, libraries."""

import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.models.models_rows import OWNED, START_MS, attempt, write
from tests.models.models_vendor import deployment

from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.core.errors import SettingError
from inhouse.models.dependence.libraries import USES, libraries
from inhouse.models.dependence.readiness import (
    Concentrated,
    Critical,
    ExitFacts,
    Retirement,
    VendorShare,
    concentration,
    critical_of,
    readiness,
    retirement_in_words,
    retirements,
    shares,
)
from inhouse.models.ledger.bill import bill
from inhouse.models.ledger.traffic import owners_of
from inhouse.models.vendors import read_vendors
from inhouse.store.database import Database

NOBODY = Critical(restrictions=0, by_host={}, by_owner={})
FACTS = ExitFacts(
    task="text_harm", labels=0, trained=False, parity=None, stage="rented", drilled_ms=None
)


@pytest.mark.parametrize(
    ("more", "level", "name"),
    [
        ({}, 0, "prompt only"),
        ({"labels": 1}, 1, "labels kept"),
        ({"labels": 1, "trained": True}, 2, "student trained"),
        ({"labels": 1, "trained": True, "parity": "not_enough"}, 2, "student trained"),
        ({"labels": 1, "trained": True, "parity": "pass"}, 3, "parity shown"),
        ({"labels": 1, "trained": True, "parity": "fail", "stage": "shadow"}, 3, "parity shown"),
        ({"labels": 1, "trained": True, "parity": "pass", "stage": "owned"}, 4, "ramp passed"),
        ({"parity": "pass", "stage": "owned", "drilled_ms": START_MS}, 0, "prompt only"),
    ],
)
def test_readiness_goes_step_by_step(more: dict[str, Any], level: int, name: str) -> None:
    """No level without those below it; a person's word for a version is parity enough."""
    found = readiness(replace(FACTS, **more), START_MS)
    assert (found.level, found.name) == (level, name)
    assert found.next


def test_a_drill_counts_for_ninety_days() -> None:
    """On the ninetieth day still, a millisecond later no more."""
    owned = replace(
        FACTS, labels=1, trained=True, parity="pass", stage="owned", drilled_ms=START_MS
    )
    assert readiness(owned, START_MS + 90 * DAY_MS).level == 5
    assert readiness(owned, START_MS + 90 * DAY_MS + 1).level == 4


def test_restrictions_are_shared_out_at_both_layers(database: Database) -> None:
    """Two hosts of one maker's models: half of the vendors' each, all of it one owner's; what no
    model or our own had scored is nobody's dependence."""
    write(database, [attempt(), attempt(host="azure", model="team"), attempt(**OWNED)])
    owners = owners_of(database)
    told = bill(database, 0, 1 << 50)
    critical = critical_of(
        {"openai/m": 2, "azure/team": 2, "inhouse/v1": 3, None: 1, "gone/x": 0}, owners
    )

    assert owners == {"openai/m": "openai", "azure/team": "openai", "inhouse/v1": "inhouse"}
    assert critical.restrictions == 8
    found = {(one.layer, one.vendor): one for one in shares(told, critical)}
    assert found["host", "azure"] == VendorShare(
        layer="host", vendor="azure", spend=0.5, calls=1 / 3, tokens=0.5, critical=0.25
    )
    assert found["owner", "openai"].critical == 0.5
    assert concentration(told, critical)[0] == Concentrated(
        layer="host", spend=5_000.0, calls=5_000.0, tokens=5_000.0, critical=5_000.0
    )
    assert concentration(told, NOBODY)[1].critical is None


def test_a_vendor_that_only_restricts_is_named_too(database: Database) -> None:
    """Its calls may lie before the span: nothing is divided by nothing."""
    critical = critical_of({"old/m": 1}, {})
    assert shares(bill(database, 0, 1), critical) == (
        VendorShare(layer="host", vendor="old", spend=None, calls=None, tokens=None, critical=1.0),
        VendorShare(layer="owner", vendor="old", spend=None, calls=None, tokens=None, critical=1.0),
    )


def test_models_that_end(tmp_path: Path) -> None:
    """The next one first; from sixty days before it is soon, and afterwards it is over."""
    today_ms = 1_767_225_600_000 + 5 * HOUR_MS  # 2026-01-01
    rented = [
        deployment("http://v", "late", retires=date(2026, 3, 3)),
        deployment("http://v", "never"),
        deployment("http://v", "next", retires=date(2026, 3, 2)),
        deployment("http://v", "over", retires=date(2025, 12, 31)),
    ]
    found = retirements(rented, today_ms)

    assert [(one.deployment, one.days_left, one.soon) for one in found] == [
        ("over", -1, True),
        ("next", 60, True),
        ("late", 61, False),
    ]
    assert found[1] == Retirement(
        deployment="next", model="gpt-4o-mini", retires="2026-03-02", days_left=60
    )
    assert retirement_in_words(found[0]) == "over (gpt-4o-mini) ends on 2025-12-31, 1 days ago"


def test_the_vendors_file_names_a_day(tmp_path: Path) -> None:
    """A date of TOML, no text and no time of day; not for models that this machine runs."""
    path = tmp_path / "vendors.toml"
    body = '[main]\nurl = "http://v"\nmodel = "m"\nhost = "h"\nowner = "o"\n'
    path.write_text(f"{body}retires = 2026-12-31\n")
    assert read_vendors(path, {})[0].retires == date(2026, 12, 31)
    for wrong in ('"2026-12-31"', "2026-12-31T00:00:00", "7"):
        path.write_text(f"{body}retires = {wrong}\n")
        with pytest.raises(
            SettingError, match=r"(?s)main.retires: .* expected a value of type date"
        ):
            read_vendors(path, {})
    local = 'dialect = "hugging_face"\nmodel = "m"\nowner = "o"\nlabels = { a = "hate" }\n'
    path.write_text(f"[main]\n{local}retires = 2026-12-31\n")
    with pytest.raises(SettingError, match=r"(?s)main.retires: .* the model runs on this machine"):
        read_vendors(path, {})


def test_our_own_libraries_are_dependences() -> None:
    """Each that pyproject declares has its use written down, and none is written down that is not
    declared; versions and licences are those of the installed packages."""
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    declared = {one.split(">")[0].split("=")[0].strip() for one in project["dependencies"]}
    assert declared == set(USES)

    found = {one.name: one for one in libraries()}
    aiohttp = found["aiohttp"]
    assert (aiohttp.gateway, aiohttp.stops) == (True, "every call to a rented model")
    assert "Apache-2.0" in aiohttp.licence
    assert aiohttp.version is not None
    assert all(len(one.licence) <= 60 and len(one.by) <= 60 for one in found.values())
