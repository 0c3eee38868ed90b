"""Budgets of keys: nothing goes over, whoever calls, however many, on either database."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.models.models_vendor import (
    QUICK,
    Reply,
    Vendor,
    chat_reply,
    deployment,
    error_reply,
    stream_reply,
)

from inhouse.core.clock import DAY_MS, FollowingClock
from inhouse.core.errors import InputError, SpentError, UnknownError
from inhouse.models.bounds.budgets import Budget, Budgets, Hold
from inhouse.models.ledger.keeping import Keeper
from inhouse.models.ledger.rows import Ledger
from inhouse.models.passing.passer import Passer
from inhouse.models.passing.streaming import PassedStream
from inhouse.models.providers.passing import Passed, read_call
from inhouse.models.settings import ModelSettings
from inhouse.models.stores import Stores
from inhouse.models.types import Deployment
from inhouse.store import tables
from inhouse.store.database import Database

JANUARY_MS = 1_768_478_400_000  # 2026-01-15 12:00
COST = Decimal("0.000165")  # of the vendor's usage by the list
HELLO = b'{"model": "main", "messages": [], "max_tokens": 1000}'


def _key(database: Database, key_id: str = "k") -> str:
    row = {"key_id": key_id, "secret_hash": key_id, "name": "app", "scopes": "models"}
    database.write(
        lambda connection: connection.execute(
            tables.api_keys.insert(), {**row, "created_ms": 1, "revoked_ms": None}
        )
    )
    return key_id


def _budgets(database: Database, usd: str = "1") -> tuple[Budgets, FollowingClock]:
    clock = FollowingClock(JANUARY_MS)
    budgets = Budgets(database, clock)
    budgets.set(_key(database), Decimal(usd), "day")
    return budgets, clock


def _now(budgets: Budgets, database: Database) -> Budget:
    database.write(lambda _: None)
    (budget,) = budgets.all()
    return budget


def test_a_hundred_callers_cannot_go_over(any_database: Database) -> None:
    """Each may cost a fiftieth of the budget: fifty are let through, whoever they are, and where
    they cost less than that, what is left lets others through."""
    budgets, _ = _budgets(any_database)

    async def crowd() -> list[Hold | BaseException]:
        calls = (budgets.hold("k", Decimal("0.02")) for _ in range(100))
        return await asyncio.gather(*calls, return_exceptions=True)

    found = asyncio.run(crowd())
    held = [hold for hold in found if isinstance(hold, Hold)]
    assert len(held) == 50
    assert all(isinstance(each, Hold | SpentError) for each in found)

    for hold in held:
        budgets.settle(hold, Decimal("0.004"))
    assert _now(budgets, any_database).spent_usd == Decimal("0.2")
    again = [hold for hold in asyncio.run(crowd()) if isinstance(hold, Hold)]
    assert len(again) == 40


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None
)
@given(
    st.lists(
        st.tuples(st.integers(1, 400), st.integers(0, 400) | st.none(), st.booleans()), max_size=20
    )
)
def test_what_is_spent_and_held_never_exceeds_the_limit(
    database: Database, calls: Sequence[tuple[int, int | None, bool]]
) -> None:
    """Whatever calls cost (never more than was held), known or not, over at once or later; in the
    end nothing is held, and what is spent is the sum of what calls cost."""
    database.write(lambda connection: connection.execute(tables.budgets.delete()))
    database.write(lambda connection: connection.execute(tables.api_keys.delete()))
    budgets, _ = _budgets(database)
    open_holds: list[tuple[Hold, Decimal | None]] = []
    spent = Decimal(0)
    for most, cost, at_once in calls:
        told = None if cost is None else Decimal(min(cost, most)) / 1_000
        try:
            hold = asyncio.run(budgets.hold("k", Decimal(most) / 1_000))
        except SpentError:
            continue
        spent += Decimal(most) / 1_000 if told is None else told
        if at_once:
            budgets.settle(hold, told)
        else:
            open_holds.append((hold, told))
        now = _now(budgets, database)
        assert now.spent_usd + now.held_usd <= now.limit_usd
    for hold, told in open_holds:
        budgets.settle(hold, told)
    assert (_now(budgets, database).spent_usd, _now(budgets, database).held_usd) == (spent, 0)


def test_a_new_period_begins_with_nothing_spent(any_database: Database) -> None:
    """At midnight in UTC; what was held before is nobody's any more, and the refusal says when."""
    budgets, clock = _budgets(any_database)
    first = asyncio.run(budgets.hold("k", Decimal("0.75")))
    with pytest.raises(SpentError) as refused:
        asyncio.run(budgets.hold("k", Decimal("0.5")))
    assert refused.value.retry_after_s == 12 * 3_600
    assert str(refused.value) == (
        "this call may cost 0.500000 dollars and the key has 0.250000 left of 1 a day; ask for "
        "fewer tokens, or have the budget raised"
    )

    clock.advance(JANUARY_MS + DAY_MS // 2)
    asyncio.run(budgets.hold("k", Decimal("0.5")))
    budgets.settle(first, Decimal("0.25"))
    now = _now(budgets, any_database)
    assert (now.spent_usd, now.held_usd) == (Decimal("0.25"), 0)


def test_budgets_are_set_changed_and_taken_away(database: Database) -> None:
    """A raise keeps what is spent, another period starts anew; amounts and keys are checked."""
    budgets, _ = _budgets(database)
    budgets.settle(asyncio.run(budgets.hold("k", Decimal("0.5"))), Decimal("0.5"))
    database.write(lambda _: None)
    budgets.set("k", Decimal(5), "day")
    raised = _now(budgets, database)
    budgets.set("k", Decimal(5), "month")
    monthly = _now(budgets, database)
    budgets.remove("k")

    assert (raised.limit_usd, raised.spent_usd) == (5, Decimal("0.5"))
    assert monthly == Budget(
        key_id="k", limit_usd=Decimal(5), period="month", spent_usd=Decimal(0), held_usd=Decimal(0)
    )
    assert budgets.all() == []
    with pytest.raises(UnknownError, match="no budget of 'k'"):
        budgets.remove("k")
    with pytest.raises(UnknownError, match="no key 'nobody'"):
        budgets.set("nobody", Decimal(1), "day")
    for amount in ("0", "-1", "NaN", "1000001"):
        with pytest.raises(InputError, match="expected above 0, at most 1,000,000"):
            budgets.set("k", Decimal(amount), "day")


def _passer(database: Database, *deployments: Deployment) -> Passer:
    stores = Stores(database=database, keeper=Keeper(database))
    clock = FollowingClock(JANUARY_MS)
    return Passer(deployments, stores, clock, ModelSettings(), QUICK)


def _call(body: bytes = HELLO) -> Passed:
    return read_call("chat", body, "k")


def test_calls_are_paid_from_the_budget(database: Database) -> None:
    """What was answered costs its price, what vendors do not charge for nothing, a stream its
    usage; a call that was left costs the most it could, while the ledger says it is unknown."""
    budgets = Budgets(database, FollowingClock(JANUARY_MS))
    budgets.set(_key(database), Decimal(1), "ever")
    stream = HELLO[:-1] + b', "stream": true}'

    async def play() -> None:
        replies = [error_reply(500), chat_reply("hi"), stream_reply("hi"), Reply(delay_s=9.0)]
        async with Vendor(*replies) as vendor:
            passer = _passer(database, deployment(vendor.url, serves=("chat",)))
            await passer.ask(_call())
            found = await passer.open(_call(stream))
            assert isinstance(found, PassedStream)
            _ = [piece async for piece in found.pieces()]
            await found.close()
            vendor.arrived.clear()
            leaving = asyncio.create_task(passer.ask(_call()))
            await vendor.arrived.wait()
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
            await passer.close()

    asyncio.run(play())
    now = _now(budgets, database)
    most = (len(HELLO) * Decimal("0.15") + 1_000 * Decimal("0.6")) / 1_000_000
    assert (now.spent_usd, now.held_usd) == (2 * COST + most, 0)
    costs = [attempt.cost_usd for _, attempt in Ledger(database).read()]
    assert costs == [0, COST, COST, None]


def test_who_has_spent_all_is_not_passed_on(database: Database) -> None:
    """The vendor is not asked; a call that names no most is reckoned with a long answer; what has
    no price cannot be paid from a budget; keys without one are free to call."""
    Budgets(database, FollowingClock(JANUARY_MS)).set(_key(database), Decimal("0.001"), "month")

    async def play() -> None:
        async with Vendor(chat_reply("hi"), chat_reply("hi")) as vendor:
            main = deployment(vendor.url, serves=("chat",))
            passer = _passer(database, main, replace(main, name="odd", model="nobody-knows"))
            with pytest.raises(SpentError, match=r"may cost 0\.009"):
                await passer.ask(_call(b'{"model": "main"}'))
            with pytest.raises(SpentError, match=r"may cost 0\.006"):
                await passer.ask(_call(HELLO[:-1] + b', "n": 10}'))
            with pytest.raises(SpentError, match=r"may cost 0\.006"):
                await passer.ask(_call(HELLO[:-1] + b', "x": {"image_url": "http://p"}}'))
            with pytest.raises(InputError, match="the price of odd is not known"):
                await passer.ask(_call(HELLO.replace(b"main", b"odd")))
            assert vendor.asked == []
            await passer.ask(_call())
            await passer.ask(replace(_call(b'{"model": "main"}'), key_id="free"))
            await passer.close()

    asyncio.run(play())


def test_money_is_not_held_for_who_left_meanwhile(database: Database, tmp_path: Path) -> None:
    """A caller who goes away while the row is being changed leaves nothing held."""
    budgets, _ = _budgets(database)

    async def play() -> None:
        holding = asyncio.create_task(budgets.hold("k", Decimal("0.5")))
        await asyncio.sleep(0)
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)

    asyncio.run(play())
    database.write(lambda _: None)
    database.write(lambda _: None)
    assert _now(budgets, database).held_usd == 0
