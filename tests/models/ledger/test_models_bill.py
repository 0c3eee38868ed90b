"""The bill adds up, keeps the simulated apart and names what is unpriced."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.models.models_rows import OWNED, START_MS, attempt, write

from inhouse.core.clock import DAY_MS
from inhouse.models.ledger.bill import Bill, Concentration, Line, Share, Unpriced, bill
from inhouse.models.ledger.rows import Ledger
from inhouse.models.types import INHOUSE
from inhouse.store import tables
from inhouse.store.database import Database

EVER = (0, 1 << 50)


def test_the_ledger_gives_back_what_was_written(any_database: Database) -> None:
    """Every field of an attempt, unknowns included, on both databases."""
    rows = [
        attempt(),
        attempt(
            usage=None,
            cost_usd=None,
            price_version=None,
            outcome="timeout",
            answered=0,
            estimate_usd=Decimal("0.0000000005"),
        ),
        attempt(**OWNED, role="shadow"),
        attempt(cost_usd=Decimal("0.000000000001"), spillover="standard", simulated=True),
    ]
    write(any_database, rows)
    ledger = Ledger(any_database)
    assert rows == [row for _, row in ledger.read()]
    assert rows[2:] == [row for _, row in ledger.read(after=2)]
    assert rows[:0:-1] == [row for _, row in ledger.latest(3)]


def test_a_bill_from_six_sides(any_database: Database) -> None:
    """Months, days, hosts, owners, tasks and models, each with its own sums, on both databases."""
    write(
        any_database,
        [
            attempt(),
            attempt(at_ms=START_MS + DAY_MS, host="azure", model="n", role="fallback"),
            attempt(at_ms=START_MS + DAY_MS, **OWNED),
        ],
    )
    told = bill(any_database, *EVER)
    line = Line(
        key="2025-12",
        simulated=False,
        spend_usd=Decimal("0.01"),
        calls=2,
        attempts=1,
        tokens_in=100,
        tokens_cached=10,
        tokens_out=20,
        unpriced=0,
    )
    assert line == told.months[0]
    assert Decimal("0.02") == told.spend_usd
    assert [row.key for row in told.months] == ["2025-12", "2026-01"]
    assert [row.key for row in told.days] == ["2025-12-31", "2026-01-01"]
    assert [row.key for row in told.hosts] == ["azure", "openai", INHOUSE]
    assert [(row.key, row.calls) for row in told.owners] == [("openai", 4), (INHOUSE, 2)]
    assert [(row.key, row.calls) for row in told.tasks] == [("text_harm", 6)]
    assert ["azure/openai/n", "openai/openai/m", f"{INHOUSE}/{INHOUSE}/v1"] == [
        row.key for row in told.models
    ]


def test_dependence_is_told_by_host_and_by_owner(database: Database) -> None:
    """Two hosts of one maker's models: half each, yet all of it from one owner."""
    write(database, [attempt(), attempt(host="azure"), attempt(**OWNED), attempt(**OWNED)])
    told = bill(database, *EVER)
    assert (
        Share(layer="host", vendor="azure", spend=0.5, calls=0.25, tokens=0.5),
        Share(layer="host", vendor="openai", spend=0.5, calls=0.25, tokens=0.5),
        Share(layer="owner", vendor="openai", spend=1.0, calls=0.5, tokens=1.0),
    ) == told.shares
    assert (
        Concentration(layer="host", spend=5_000.0, calls=5_000.0, tokens=5_000.0),
        Concentration(layer="owner", spend=10_000.0, calls=10_000.0, tokens=10_000.0),
    ) == told.concentration
    assert told.owned_calls == 0.5


def test_simulated_spending_is_kept_apart(database: Database) -> None:
    """A stand-in's charges are shown, and are no money."""
    write(database, [attempt(), attempt(simulated=True, cost_usd=Decimal(5))])
    told = bill(database, *EVER)
    assert (Decimal("0.01"), Decimal(5)) == (told.spend_usd, told.simulated_usd)
    assert [(True, Decimal(5)), (False, Decimal("0.01"))] == [
        (row.simulated, row.spend_usd) for row in told.hosts
    ]
    assert told.basis == "real"
    assert tuple(share.spend for share in told.shares if share.layer == "host") == (1.0,)


def test_where_all_is_simulated_the_shares_say_so(database: Database) -> None:
    """A demo shows its dependence too."""
    write(database, [attempt(simulated=True), attempt(**OWNED)])
    told = bill(database, *EVER)
    assert (told.basis, told.owned_calls) == ("simulated", 0.5)
    assert Decimal(0) == told.spend_usd


def test_unpriced_attempts_are_listed(database: Database) -> None:
    """What nobody can price is named with what is known of it, and adds nothing."""
    unknown = {"cost_usd": None, "price_version": None}
    write(
        database,
        [
            attempt(**unknown),
            attempt(**unknown),
            attempt(
                **unknown, usage=None, outcome="timeout", answered=0, estimate_usd=Decimal("0.02")
            ),
            attempt(),
        ],
    )
    told = bill(database, *EVER)
    names = {"host": "openai", "owner": "openai", "model": "m", "simulated": False}
    assert (
        Unpriced(
            **names,
            outcome="ok",
            attempts=2,
            tokens_in=300,
            tokens_out=60,
            estimate_usd=Decimal(0),
        ),
        Unpriced(
            **names,
            outcome="timeout",
            attempts=1,
            tokens_in=0,
            tokens_out=0,
            estimate_usd=Decimal("0.02"),
        ),
    ) == told.unpriced
    assert (3, Decimal("0.01")) == (told.tasks[0].unpriced, told.tasks[0].spend_usd)


def test_shadows_cost_but_are_no_calls(database: Database) -> None:
    """Nobody was answered by them."""
    write(database, [attempt(role="shadow"), attempt(**OWNED)])
    told = bill(database, *EVER)
    assert (Decimal("0.01"), 1.0) == (told.spend_usd, told.owned_calls)


def test_an_empty_span_has_no_shares(database: Database) -> None:
    """Nothing is divided by nothing."""
    write(database, [attempt()])
    told = bill(database, START_MS + 1, START_MS + DAY_MS)
    assert ((), (), None, Decimal(0)) == (told.hosts, told.shares, told.owned_calls, told.spend_usd)
    assert (told.concentration[0].spend, told.concentration[1].calls) == (None, None)


@pytest.mark.parametrize("field", ["months", "days", "hosts", "owners", "tasks", "models"])
def test_the_span_is_half_open(database: Database, field: str) -> None:
    """Two bills side by side count every row once."""
    write(database, [attempt(at_ms=START_MS + n) for n in range(4)])
    parts = [bill(database, START_MS, START_MS + 2), bill(database, START_MS + 2, START_MS + 9)]
    assert [sum(line.attempts for line in getattr(part, field)) for part in parts] == [2, 2]


_COSTS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 10**13)),
        st.integers(0, 5),
        st.sampled_from(["openai", "azure", "local"]),
        st.booleans(),
    ),
    max_size=30,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(_COSTS)
def test_every_side_of_the_bill_adds_up_exactly(
    database: Database, costs: list[tuple[int | None, int, str, bool]]
) -> None:
    """Sums are those of the decimals, whatever the grouping."""
    database.write(lambda connection: connection.execute(tables.ledger.delete()))
    rows = [
        attempt(
            cost_usd=None if pico is None else Decimal(pico).scaleb(-12),
            at_ms=START_MS + day * DAY_MS,
            host=host,
            simulated=simulated,
        )
        for pico, day, host, simulated in costs
    ]
    write(database, rows)
    told = bill(database, *EVER)
    for simulated in (False, True):
        expected = sum(
            (row.cost_usd or Decimal(0) for row in rows if row.simulated == simulated), Decimal(0)
        )
        assert {expected} == {_sum(told, side, simulated) for side in _SIDES}
        assert expected == (told.simulated_usd if simulated else told.spend_usd)


_SIDES = ("months", "days", "hosts", "owners", "tasks", "models")


def _sum(told: Bill, side: str, simulated: bool) -> Decimal:
    lines: tuple[Line, ...] = getattr(told, side)
    return sum((line.spend_usd for line in lines if line.simulated == simulated), Decimal(0))
