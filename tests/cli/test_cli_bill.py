"""inhouse bill: the invoice beside the ledger, and dependence, as a person types them."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inhouse.app.build import open_services
from inhouse.catalog.types import Item
from inhouse.cli.main import command_line
from inhouse.core.errors import InputError
from inhouse.core.ids import ItemId, UserId
from inhouse.models.ledger.priced import PriceUsed, in_words
from inhouse.models.ledger.prices import rates_in
from inhouse.models.ledger.rows import append_attempts
from inhouse.models.types import Attempt, Usage

DAY_MS = 1_767_225_600_000  # 2026-01-01
INVOICE = "day,model,requests,tokens_in,tokens_cached,tokens_out,cost\n"
VENDORS = """
[main]
url = "http://127.0.0.1:9/v1"
model = "gpt-4o-mini"
host = "openai"
owner = "openai"
retires = 2026-01-20
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own with a vendor, whose time is the log's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    monkeypatch.setenv("INHOUSE_APP_CLOCK", "log")
    (tmp_path / "vendors.toml").write_text(VENDORS)
    return tmp_path


def _call(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(command_line(words[:1]), words)
    assert result.exit_code == code, result.output
    return result.output


def _ask(count: int, **more: Any) -> None:
    """So many calls at 0.000165 dollars."""
    rows = [
        Attempt(
            call_id=f"c{n}",
            at_ms=DAY_MS + n,
            task="chat",
            role="primary",
            deployment="main",
            host="openai",
            owner="openai",
            model="gpt-4o-mini",
            inputs=1,
            answered=1,
            usage=Usage(tokens_in=1_000, tokens_cached=200, tokens_out=50),
            cost_usd=Decimal("0.000165"),
            price_version="genai-prices 1 openai/gpt-4o-mini",
            latency_ms=5.0,
            outcome="ok",
            simulated=False,
        )
        for n in range(count)
    ]
    rows = [replace(row, **more) for row in rows]
    with open_services() as services:
        services.database.write(lambda connection: append_attempts(connection, rows))


def test_an_old_contract_explains_an_invoice_when_its_file_is_gone(folder: Path) -> None:
    """The price is kept with every amount: two calls more than the ledger has are told to the last
    decimal, though vendors.toml names neither the deployment nor the contract any more."""
    _ask(2, price_version="contract 0.1/0.01/0.4+0", cost_usd=Decimal("0.000102"))
    (folder / "vendors.toml").write_text("")
    path = folder / "invoice.csv"
    path.write_text(f"{INVOICE}2026-01-01,gpt-4o-mini,4,4000,800,200,0.000408\n")

    told: Any = json.loads(_call("bill", "reconcile", str(path), "--host", "openai", "--json"))
    (line,) = told["lines"]
    assert [(r["kind"], Decimal(r["amount_usd"])) for r in line["reasons"]] == [
        ("outside", Decimal("0.000204"))
    ]
    assert Decimal(line["unexplained_usd"]) == 0


def test_prices_are_told_as_they_were_used(folder: Path) -> None:
    """A contract by its figures, the list by its version, one that is not known as such; models of
    one's own have none."""
    _ask(2, price_version="contract 0.1/0.01/0.4+0.5", cost_usd=Decimal("0.000102"))
    _ask(1, call_id="d1", at_ms=DAY_MS + 86_400_000)
    _ask(1, call_id="e1", price_version=None, cost_usd=None)
    _ask(1, call_id="f1", deployment="owned", host="inhouse", price_version="owned")
    with open_services() as services:
        late = Item(item_id=ItemId("i"), creator_id=UserId("c"), created_ms=DAY_MS + 2 * 86_400_000)
        services.catalog.put_items([late])
    shown = _call("bill", "prices")
    told: Any = json.loads(_call("bill", "prices", "--json"))

    assert in_words(PriceUsed(**{**told[1], "rates": rates_in(told[1]["version"])})) == (
        "contract: a million tokens 0.1 in, 0.01 cached, 0.4 out; 0.5 a request"
    )
    assert "contract" in shown
    assert [(one["version"], one["since"], one["attempts"]) for one in told] == [
        (None, "2026-01-01", 1),
        ("contract 0.1/0.01/0.4+0.5", "2026-01-01", 2),
        ("genai-prices 1 openai/gpt-4o-mini", "2026-01-02", 1),
    ]
    assert told[1]["rates"]["out"] == "0.4"
    assert Decimal(told[1]["spend_usd"]) == Decimal("0.000204")


def test_an_invoice_is_explained_line_by_line(folder: Path) -> None:
    """One call more than the ledger has, at the ledger's price: told, and nothing is left."""
    _ask(2)
    path = folder / "invoice.csv"
    path.write_text(f"{INVOICE}2026-01-01,gpt-4o-mini,3,3000,600,150,0.000495\n")

    shown = _call("bill", "reconcile", str(path))
    told: Any = json.loads(_call("bill", "reconcile", str(path), "--json"))

    assert (
        "  outside +0.000165: 1 calls that never passed through inhouse: 1,000 tokens in, 50 out"
        in shown
    )
    assert "unexplained +0.000000 in 0 lines" in shown
    assert Decimal(told["unexplained_usd"]) == 0
    assert [reason["kind"] for line in told["lines"] for reason in line["reasons"]] == ["outside"]
    assert Decimal(told["difference_usd"]) == Decimal("0.000165")


def test_what_is_unexplained_is_an_exit_code(folder: Path) -> None:
    """The same calls at twice the price: nobody knows why, and the program that asked hears it."""
    _ask(1)
    path = folder / "invoice.csv"
    path.write_text(f"{INVOICE}2026-01-01,[red]gpt-4o-mini,1,1000,200,50,0.00033\n")

    shown = _call("bill", "reconcile", str(path), "--map", "[red]gpt-4o-mini=main", code=1)

    assert "2026-01-01 [red]gpt-4o-mini: invoice 0.000330, ledger 0.000165, +0.000165 USD" in shown
    assert "  UNEXPLAINED +0.000165: the same usage at 2.0000 times the ledger's price" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--columns", "tag=Datum"], "--columns: got 'tag', expected one of day, model"),
        (["--map", "no sign"], "--map: got 'no sign', expected INVOICE'S NAME="),
        (["--usd-per-unit", "0"], "--usd-per-unit: got '0', expected an amount"),
        ([], "cannot read gone.csv"),
    ],
)
def test_what_is_asked_wrongly_is_told(words: list[str], message: str) -> None:
    """Before anything is compared."""
    with pytest.raises(InputError, match=message):
        CliRunner().invoke(
            command_line(["bill"]),
            ["bill", "reconcile", "gone.csv", *words],
            catch_exceptions=False,
        )


def test_the_bill_without_a_command_is_the_bill() -> None:
    """As before there were commands below it."""
    _ask(1)
    told: Any = json.loads(_call("bill", "--days", "3000", "--json"))
    assert Decimal(told["spend_usd"]) in (Decimal("0.000165"), Decimal(0))
    assert "USD" in _call("bill", "--by", "hosts")


def test_dependence_is_told_and_a_model_that_ends_is_wrong_with_the_doctor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All rests on one vendor, nothing is ready, no forecast is invented; the doctor warns."""
    monkeypatch.setenv("INHOUSE_APP_CLOCK", "system")
    _ask(2)
    told: Any = json.loads(_call("bill", "dependence", "--days", "4000", "--json"))
    shown = _call("bill", "dependence", "--days", "4000", "--cpu-usd-per-hour", "0.1")
    findings: Any = json.loads(_call("doctor", "--json", code=1))

    assert [(one["layer"], one["vendor"], one["calls"]) for one in told["shares"]] == [
        ("host", "openai", 1.0),
        ("owner", "openai", 1.0),
    ]
    assert {one["task"]: one["level"] for one in told["readiness"]} == {"text_harm": 0, "chat": 0}
    assert told["spending"]["next_usd"]["reason"] == "too short a history"
    assert "not enough" in " ".join(shown.split())
    assert "aiohttp" in shown
    (retiring,) = [one for one in findings if one["what"] == "retirements"]
    assert retiring["ok"] is False
    assert retiring["detail"].startswith("main (gpt-4o-mini) ends on 2026-01-20, ")
