"""Invoices are read as they are, and what is none is told with its line."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from inhouse.core.errors import InputError, SettingError
from inhouse.models.reconcile.reading import Reading, read_invoice

DAY = "2026-01-01"
HEAD = "day,model,requests,tokens_in,tokens_cached,tokens_out,cost\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no invoice that is known"),
        ("a,b\n1,2\n", "its columns are a, b"),
        ("day,model,cost\nsoon,m,1\n", "day: got 'soon', expected a day such as 2026-01-31"),
        ("day,model,cost\n2026-01-01,m,much\n", "cost: got 'much', expected an amount"),
        (HEAD + f"{DAY},m,-1,1,0,1,1\n", "requests: got '-1', expected a whole number"),
        (HEAD + f"{DAY},m,1,1,2,1,1\n", "tokens_cached: got '2', expected no more than"),
        ("day,model,cost,currency\n2026-01-01,m,1,EUR\n", "currency: got 'EUR', expected USD"),
        ("day,model,cost\n2026-01,m,1\n2026-02-01,m,1\n", "has days and months"),
        ("day,model,cost\n", "the invoice has no amounts"),
        ("day,model,cost\n2026-01-01,m,NaN\n", "cost: got 'NaN'"),
        ('day,model,cost\n2026-01-01,"\u202e' + "x" * 300 + '",1\n', "at most 200 characters"),
    ],
)
def test_what_is_no_invoice_is_told(tmp_path: Path, text: str, message: str) -> None:
    """Which file, line and column, and what was expected there."""
    path = tmp_path / "invoice.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=message):
        read_invoice([path], Reading())


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    """Two wrong rows, two faults with their lines; bytes that are no text are an error too."""
    path, other = tmp_path / "invoice.csv", tmp_path / "binary.csv"
    path.write_text("day,model,cost\nx,m,1\n2026-01-01,m,y\n")
    other.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingError) as error:
        read_invoice([path], Reading())

    assert [fault.field for fault in error.value.faults] == [
        "invoice.csv:2 day",
        "invoice.csv:3 cost",
    ]
    with pytest.raises(InputError, match="give a CSV file in UTF-8"):
        read_invoice([other], Reading())


def test_columns_and_currency_as_a_person_names_them(tmp_path: Path) -> None:
    """A German table in euros, with semicolons."""
    path = tmp_path / "invoice.csv"
    path.write_text("Datum;Modell;Betrag;Währung\n2026-01-01;gpt-4o;2.50;EUR\n", "utf-8")
    columns: Any = {"day": "Datum", "model": "Modell", "cost": "Betrag", "currency": "Währung"}

    (line,) = read_invoice([path], Reading(columns=columns, usd_per_unit=Decimal("1.08"))).lines

    assert (line.day, line.model, line.cost_usd) == (DAY, "gpt-4o", Decimal("2.7000"))
    assert line.half_unit_usd == Decimal("0.0054000")
    with pytest.raises(InputError, match="has no column 'Tag'; it has Datum"):
        read_invoice([path], Reading(columns={"day": "Tag"}))
