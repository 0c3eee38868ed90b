"""An invoice beside the ledger: each difference has its reason, or is told as unexplained."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.models_vendor import deployment

from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.core.errors import InputError
from inhouse.models.ledger.prices import price_of
from inhouse.models.ledger.rows import append_attempts
from inhouse.models.reconcile.explain import Side, explain
from inhouse.models.reconcile.pricing import Prices
from inhouse.models.reconcile.reading import Reading, read_invoice
from inhouse.models.reconcile.reconcile import Terms, reconcile
from inhouse.models.reconcile.types import Entry, InvoiceLine, Reason, Reconciliation, Tokens
from inhouse.models.types import Attempt, ContractPrice, Deployment, ProviderAnswer, Usage
from inhouse.store.database import Database

DAY = "2026-01-01"
NOON_MS = 1_767_225_600_000 + 12 * HOUR_MS
CONTRACT = ContractPrice(
    in_usd_per_mtok=Decimal("0.1"),
    cached_usd_per_mtok=Decimal("0.01"),
    out_usd_per_mtok=Decimal("0.4"),
)
MAIN = deployment("http://v")  # 0.15, 0.075 and 0.60 dollars a million by the list
AZURE = deployment(
    "http://a", "az", host="azure", model="team", price_as="openai/gpt-4o-mini", contract=CONTRACT
)
USED = Usage(tokens_in=1_000, tokens_cached=200, tokens_out=50)  # 0.000165 by the list
HEAD = "day,model,requests,tokens_in,tokens_cached,tokens_out,cost\n"


def row(of: Deployment = MAIN, usage: Usage | None = USED, **more: Any) -> Attempt:
    """An attempt as the gateway would keep it."""
    values: dict[str, Any] = {"outcome": "ok", "at_ms": NOON_MS, "spillover": None, **more}
    answer = ProviderAnswer(
        refs=("c",),
        scores=None,
        outcome=values["outcome"],
        latency_ms=1.0,
        usage=usage,
        spillover=values["spillover"],
    )
    price = price_of(of, answer, values["at_ms"])
    return Attempt(
        **{
            "call_id": "c",
            "task": "chat",
            "role": "primary",
            "deployment": of.name,
            "host": of.host,
            "owner": of.owner,
            "model": of.model,
            "inputs": 1,
            "answered": 1,
            "usage": usage,
            "cost_usd": price.cost_usd,
            "price_version": price.version,
            "latency_ms": 1.0,
            "simulated": False,
            **values,
        }
    )


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A ledger and a folder for invoices."""

    database: Database
    folder: Path

    def compare(
        self,
        rows: Sequence[Attempt],
        text: str,
        deployments: Sequence[Deployment] = (MAIN, AZURE),
        **terms: Any,
    ) -> Reconciliation:
        """Those rows beside an invoice of that text."""
        self.database.write(lambda connection: append_attempts(connection, rows))
        path = self.folder / "invoice.csv"
        path.write_text(text, "utf-8")
        told = Terms(deployments=deployments, now_ms=NOON_MS + DAY_MS, **terms)
        return reconcile(self.database, read_invoice([path], Reading()), told)


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    """An empty ledger."""
    return Desk(database=database, folder=tmp_path)


def reasons(found: Reconciliation) -> list[tuple[str, Decimal, int, bool]]:
    """What of them can be compared."""
    return [
        (one.kind, one.amount_usd.normalize(), one.attempts, one.exact)
        for line in found.lines
        for one in line.reasons
    ]


def test_an_invoice_that_is_right(any_database: Database, tmp_path: Path) -> None:
    """The same requests, tokens and cost: no difference and no reason, on both databases; owned,
    local and simulated rows are none of a vendor's."""
    own = replace(row(), host="inhouse", owner="inhouse", cost_usd=Decimal(0))
    rows = [row(), row(), own, replace(row(), simulated=True)]
    desk = Desk(database=any_database, folder=tmp_path)

    found = desk.compare(rows, f"{HEAD}{DAY},gpt-4o-mini,2,2000,400,100,0.000330\n")

    assert (found.invoice_usd, found.ledger_usd) == (Decimal("0.000330"), Decimal("0.000330"))
    assert (found.difference_usd, found.unexplained_lines, reasons(found)) == (0, 0, [])
    assert (found.hosts, found.day_starts_at, found.format) == (("openai",), "+00:00", "plain")


def test_attempts_whose_cost_was_unknown(desk: Desk) -> None:
    """The vendor charges for what was left or timed out: its requests and tokens, at our price."""
    rows = [row(), row(usage=None, outcome="aborted"), row(usage=None, outcome="timeout")]

    found = desk.compare(rows, f"{HEAD}{DAY},gpt-4o-mini,3,3000,200,100,0.000495\n")

    # 2,000 fresh at 0.15 and 50 out at 0.60
    assert reasons(found) == [("unknown", Decimal("0.00033"), 2, True)]
    assert (found.unexplained_usd, found.unexplained_lines) == (0, 0)


def test_failed_attempts_that_were_charged(desk: Desk) -> None:
    """A 500 should cost nothing; this vendor charged it, and so is found out."""
    rows = [row(), row(usage=None, outcome="server_error")]

    found = desk.compare(rows, f"{HEAD}{DAY},gpt-4o-mini,2,2000,400,100,0.000330\n")

    assert reasons(found) == [("retried", Decimal("0.000165"), 1, True)]
    assert found.lines[0].reasons[0].detail == (
        "1 failed attempts of 1 were charged: 1,000 tokens in, 50 out"
    )


def test_calls_that_never_passed_through(desk: Desk) -> None:
    """More requests than all attempts together; and a model that nobody here asked."""
    text = f"{HEAD}{DAY},gpt-4o-mini,3,3000,600,150,0.000495\n{DAY},gpt-5,1,10,0,10,0.5\n"

    found = desk.compare([row()], text)

    assert reasons(found) == [
        ("outside", Decimal("0.00033"), 2, True),
        ("outside", Decimal("0.5"), 1, True),
    ]


def test_several_sorts_of_more_calls_share_the_tokens(desk: Desk) -> None:
    """One was left, one failed, one is nobody's: their sum is exact and told as shared out."""
    rows = [row(), row(usage=None, outcome="aborted"), row(usage=None, outcome="server_error")]

    found = desk.compare(rows, f"{HEAD}{DAY},gpt-4o-mini,4,4000,800,200,0.000660\n")

    assert [(kind, count, exact) for kind, _, count, exact in reasons(found)] == [
        ("unknown", 1, False),
        ("retried", 1, False),
        ("outside", 1, False),
    ]
    assert sum(found.reasons_usd.values()) == Decimal("0.000495")
    assert found.unexplained_usd == 0


def test_cached_tokens_that_the_vendor_counts_otherwise(desk: Desk) -> None:
    """The same tokens, 100 of them not charged as cached: 100 x (0.15 - 0.075) a million more."""
    found = desk.compare([row()], f"{HEAD}{DAY},gpt-4o-mini,1,1000,100,50,0.0001725\n")

    assert reasons(found) == [("cached", Decimal("0.0000075"), 0, True)]
    assert found.lines[0].reasons[0].detail == "100 tokens fewer charged as cached"


def test_another_price(desk: Desk) -> None:
    """The list's for the contract's is found; half a price that nobody knows is not excused."""
    listed = desk.compare([row(AZURE)], f"{HEAD}{DAY},az,1,1000,200,50,0.000165\n")
    half = desk.compare([], f"{HEAD}{DAY},az,1,1000,200,50,0.000051\n")

    assert reasons(listed) == [("price", Decimal("0.000063"), 1, True)]
    assert (half.unexplained_usd, half.unexplained_lines) == (Decimal("-0.000051"), 1)
    assert half.lines[0].hint == "the same usage at 0.5000 times the ledger's price"


def test_calls_that_went_over(desk: Desk) -> None:
    """On a line of their own they are right as they are; charged at the deployment's own contract,
    or without a price here, the reason is the spill."""
    own = Decimal("0.0004")  # 800 x 0.4 + 200 x 0.2 + 50 x 0.8
    standard = replace(
        AZURE,
        name="std",
        model="standard",
        contract=ContractPrice(
            in_usd_per_mtok=Decimal("0.4"),
            cached_usd_per_mtok=Decimal("0.2"),
            out_usd_per_mtok=Decimal("0.8"),
        ),
    )
    rows = [row(AZURE), row(AZURE, spillover="standard")]
    first = f"{HEAD}{DAY},team,1,1000,200,50,0.000102\n"

    right = desk.compare(rows, f"{first}{DAY},standard,1,1000,200,50,0.000165\n")
    dearer = desk.compare([], f"{first}{DAY},standard,1,1000,200,50,{own}\n", (AZURE, standard))

    assert (right.difference_usd, reasons(right)) == (0, [])
    assert reasons(dearer) == [("spilled", own - Decimal("0.000165"), 1, True)]


def test_an_attempt_that_went_over_unseen(desk: Desk) -> None:
    """It took too long, so nobody saw where it went; its own deployment charges a failed one. The
    call more on the other line is no foreign one."""
    rows = [
        row(AZURE, spillover="standard"),
        row(AZURE, usage=None, outcome="timeout"),
        row(AZURE, usage=None, outcome="server_error"),
    ]
    text = f"{HEAD}{DAY},team,1,1000,200,50,0.000102\n{DAY},standard,2,2000,400,100,0.00033\n"

    found = desk.compare(rows, text)

    assert [(line.model, [one.kind for one in line.reasons]) for line in found.lines] == [
        ("standard", ["unknown"]),
        ("team", ["unknown"]),
    ]
    assert found.unexplained_lines == 0


def test_a_spill_without_a_price(desk: Desk) -> None:
    """Nobody said what the standard deployment is in the list: its calls are the reason."""
    nameless = replace(AZURE, price_as="")
    rows = [row(nameless), row(nameless, spillover="standard")]
    text = f"{HEAD}{DAY},team,1,1000,200,50,0.000102\n{DAY},standard,1,1000,200,50,0.000165\n"

    found = desk.compare(rows, text, [nameless])

    assert reasons(found) == [("spilled", Decimal("0.000165"), 1, True)]


def test_a_model_without_a_price(desk: Desk) -> None:
    """What was used is known, what it costs is not: the invoice says it."""
    strange = deployment("http://v", "odd", model="nobody-knows")

    found = desk.compare(
        [row(strange)], f"{HEAD}{DAY},nobody-knows,1,1000,200,50,0.002\n", [strange]
    )

    assert reasons(found) == [("unpriced", Decimal("0.002"), 1, True)]
    assert found.lines[0].reasons[0].detail == (
        "1 attempts, 1,050 tokens, that no price was known for; charged 1.9048 USD a million"
    )


def test_a_vendor_that_rounds(desk: Desk) -> None:
    """To cents, 0.000165 dollars are none; a cent more is no rounding."""
    rounded = desk.compare([row()], f"{HEAD}{DAY},gpt-4o-mini,1,1000,200,50,0.00\n")
    too_much = desk.compare([], f"{HEAD}{DAY},gpt-4o-mini,1,1000,200,50,0.01\n")

    assert reasons(rounded) == [("rounding", Decimal("-0.000165"), 0, True)]
    assert too_much.unexplained_usd == Decimal("0.009835")


def test_rows_that_are_missing(desk: Desk) -> None:
    """A call of a day that is not on the invoice, and a model that has no line."""
    other = deployment("http://v", "big", model="gpt-4o")
    rows = [row(), row(), row(other)]

    found = desk.compare(rows, f"{HEAD}{DAY},gpt-4o-mini,1,1000,200,50,0.000165\n", [MAIN, other])

    assert [(kind, count) for kind, _, count, _ in reasons(found)] == [
        ("missing", 1),
        ("missing", 1),
    ]
    assert [line.model for line in found.lines] == ["gpt-4o", "gpt-4o-mini"]
    assert (found.unexplained_usd, found.difference_usd) == (0, -sum_of(rows[1:]))


def sum_of(rows: Sequence[Attempt]) -> Decimal:
    """What they cost."""
    return sum((one.cost_usd or Decimal(0) for one in rows), Decimal(0))


def test_a_vendor_in_another_time_zone(desk: Desk) -> None:
    """Its days begin eight hours after UTC's: what seems moved between days is told as that."""
    rows = [row(at_ms=NOON_MS + half * HOUR_MS // 2) for half in (-9, -8, 0, 26, 60)]
    charged = {"2025-12-31": 1, "2026-01-01": 3, "2026-01-02": 1}
    text = HEAD + "".join(
        f"{day},gpt-4o-mini,{n},{1000 * n},{200 * n},{50 * n},{Decimal('0.000165') * n}\n"
        for day, n in charged.items()
    )

    found = desk.compare(rows, text)

    assert found.day_starts_at == "-08:00"
    assert {kind for kind, *_ in reasons(found)} == {"day"}
    assert found.reasons_usd == {"day": 0}
    assert (found.difference_usd, found.unexplained_lines) == (0, 0)


def test_calls_about_midnight(desk: Desk) -> None:
    """One that came before the vendor's midnight and ended after ours is on two days, and costs
    nothing more in all."""
    rows = [row(), row(at_ms=NOON_MS + DAY_MS), row(at_ms=NOON_MS + DAY_MS)]
    text = (
        f"{HEAD}{DAY},gpt-4o-mini,2,2000,400,100,0.000330\n"
        "2026-01-02,gpt-4o-mini,1,1000,200,50,0.000165\n"
    )

    found = desk.compare(rows, text)

    assert reasons(found) == [
        ("day", Decimal("0.000165"), 1, True),
        ("day", Decimal("-0.000165"), 1, True),
    ]
    assert (found.difference_usd, found.unexplained_lines) == (0, 0)


def test_a_call_that_was_left_before_midnight(desk: Desk) -> None:
    """The vendor noticed after it: on the next day there is a call more, and it is that one."""
    rows = [row(), row(usage=None, outcome="aborted"), row(at_ms=NOON_MS + DAY_MS)]
    text = (
        f"{HEAD}{DAY},gpt-4o-mini,1,1000,200,50,0.000165\n"
        "2026-01-02,gpt-4o-mini,2,2000,200,100,0.000345\n"
    )

    found = desk.compare(rows, text)

    assert reasons(found) == [("unknown", Decimal("0.00018"), 1, True)]
    assert found.unexplained_lines == 0


def test_capacity_is_paid_by_the_hour(desk: Desk) -> None:
    """Azure's provisioned units are no calls; what else a subscription pays for is left out."""
    text = (
        "Date,MeterCategory,MeterName,Quantity,UnitOfMeasure,CostInBillingCurrency,BillingCurrency\n"
        "01/01/2026,Azure OpenAI,Provisioned Managed Global Unit,24,1 Hour,48.00,USD\n"
        "01/01/2026,Azure OpenAI,gpt-4o-mini-0718-Inp-glbl Tokens,0.8,1K,0.00012,USD\n"
        "01/01/2026,Azure OpenAI,gpt-4o-mini-0718-cached-Inp-glbl Tokens,0.2,1K,0.000015,USD\n"
        "01/01/2026,Azure OpenAI,gpt-4o-mini-0718-Outp-glbl Tokens,0.05,1K,0.00003,USD\n"
        "01/01/2026,Storage,LRS Data Stored,9,1 GB,0.20,USD\n"
    )
    listed = replace(AZURE, contract=None)

    found = desk.compare([row(listed)], text, [listed])

    assert reasons(found) == [("capacity", Decimal("48"), 0, True)]
    assert (found.format, found.skipped, found.unexplained_lines) == ("azure", 1, 0)


def test_openai_tells_costs_and_usage_in_two_files(desk: Desk) -> None:
    """Line items by kind of token, a day without any, and requests from the other export; without
    it, an attempt of unknown cost is explained by the ledger's own estimate."""
    costs, usage = desk.folder / "costs.csv", desk.folder / "usage.csv"
    named = "gpt-4o-mini-2024-07-18"
    head = (
        "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item\n"
    )
    span = "1767225600,1767312000,2026-01-01T00:00:00+00:00,2026-01-02T00:00:00+00:00"
    costs.write_text(
        f'{head}{span},0.00027,usd,"{named}, input"\n{span},0.000015,usd,"{named}, cached input"\n'
        f'{span},0.000045,usd,"{named}, output"\n'
        "1767312000,1767398400,2026-01-02T00:00:00+00:00,2026-01-03T00:00:00+00:00,,,\n"
    )
    usage.write_text(
        "start_time,end_time,model,num_model_requests,input_tokens,output_tokens,input_cached_tokens\n"
        f"1767225600,1767312000,{named},2,2000,75,200\n"
    )
    lost = row(usage=None, outcome="aborted", estimate_usd=Decimal("0.0001"))
    desk.database.write(lambda connection: append_attempts(connection, [row(), lost]))
    terms = Terms(deployments=[MAIN], now_ms=NOON_MS)

    both = reconcile(desk.database, read_invoice([costs, usage], Reading()), terms)
    alone = reconcile(desk.database, read_invoice([costs], Reading()), terms)

    assert reasons(both) == [("unknown", Decimal("0.000165"), 1, True)]
    assert reasons(alone) == [("unknown", Decimal("0.0001"), 1, False)]
    assert (both.skipped, both.unexplained_usd) == (1, 0)
    assert alone.unexplained_usd == Decimal("0.000065")
    assert alone.lines[0].hint == "the invoice counts no tokens; give the usage export too"
    with pytest.raises(InputError, match="give the cost export with it"):
        read_invoice([usage], Reading())


def test_names_that_a_person_explains(desk: Desk) -> None:
    """Without the mapping both sides stand alone; with it they are one line."""
    text = f"{HEAD}{DAY},Kleines Modell,1,1000,200,50,0.000165\n"

    apart = desk.compare([row()], text)
    named = desk.compare([], text, names={"Kleines Modell": "gpt-4o-mini"})

    assert [kind for kind, *_ in reasons(apart)] == ["outside"]
    assert (named.difference_usd, reasons(named)) == (0, [])


def test_an_invoice_by_the_month(desk: Desk) -> None:
    """Days of the ledger are added up to the month that the invoice names."""
    rows = [row(), row(at_ms=NOON_MS + 20 * DAY_MS), row(at_ms=NOON_MS + 40 * DAY_MS)]

    found = desk.compare(rows, "month,model,cost\n2026-01,gpt-4o-mini,0.000330\n")

    assert (found.difference_usd, found.since, found.until) == (0, "2026-01", "2026-01")


_counts = st.integers(0, 5_000)
_tokens = st.builds(Tokens, fresh=_counts, cached=_counts, out=_counts)
_costs = st.integers(0, 10**6).map(lambda n: Decimal(n).scaleb(-9))


@st.composite
def _entries(draw: st.DrawFn) -> Entry:
    attempts = draw(st.integers(1, 9))
    version = draw(st.sampled_from([None, "unbilled", "contract abc", "genai-prices 1 x"]))
    told = 0 if version == "unbilled" else draw(st.integers(0, attempts))
    return Entry(
        slot=NOON_MS // 1_800_000,
        deployment=draw(st.sampled_from(["main", "az", "gone"])),
        host="openai",
        model="gpt-4o-mini",
        spillover=draw(st.sampled_from([None, "standard"])),
        outcome="ok",
        price_version=version,
        attempts=attempts,
        unknown=attempts if version is None else 0,
        told=told,
        tokens=draw(_tokens) if told else Tokens(fresh=0, cached=0, out=0),
        cost_usd=Decimal(0) if version in (None, "unbilled") else draw(_costs),
        estimate_usd=draw(_costs),
    )


@given(
    st.lists(_entries(), max_size=4),
    st.one_of(st.none(), st.integers(0, 40)),
    st.one_of(st.none(), _tokens),
    _costs,
    _costs,
)
def test_reasons_and_what_is_unexplained_add_up(
    entries: list[Entry],
    requests: int | None,
    tokens: Tokens | None,
    cost: Decimal,
    shift: Decimal,
) -> None:
    """Whatever the two sides say, every part of a cent of the difference is somewhere."""
    line = InvoiceLine(
        day=DAY,
        model="gpt-4o-mini",
        rows=(2,),
        cost_usd=cost,
        half_unit_usd=Decimal("0.0000005"),
        requests=requests,
        tokens=tokens,
    )
    found = explain(
        Side(line=line, entries=entries, shift_usd=shift), Prices([MAIN, AZURE], NOON_MS)
    )

    told = sum((reason.amount_usd for reason in found.reasons), Decimal(0))
    assert told + found.unexplained_usd == found.difference_usd
    assert found.difference_usd == cost - found.ledger_usd
    assert all(isinstance(reason, Reason) and reason.detail for reason in found.reasons)
