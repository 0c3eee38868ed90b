"""inhouse bill reconcile: a vendor's invoice beside the ledger."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

import typer

from inhouse.app.build import open_services
from inhouse.cli.output import FAILED, Json, console, print_json
from inhouse.core.errors import InputError
from inhouse.models.reconcile.formats import FIELDS, Field, amount_of
from inhouse.models.reconcile.reading import Reading, read_invoice
from inhouse.models.reconcile.reconcile import Terms
from inhouse.models.reconcile.reconcile import reconcile as compare
from inhouse.models.reconcile.types import Difference, Reconciliation

_SHOWN: Final = 40


def reconcile(
    files: Annotated[
        list[Path], typer.Argument(help="the invoice as CSV; OpenAI's costs and usage as two files")
    ],
    columns: Annotated[str, typer.Option(help="which column is which: day=Datum,cost=Betrag")] = "",
    name: Annotated[
        list[str] | None,
        typer.Option("--map", help="INVOICE'S NAME=deployment or model, where they differ"),
    ] = None,
    host: Annotated[
        list[str] | None, typer.Option(help="compare the calls of these hosts alone")
    ] = None,
    usd_per_unit: Annotated[
        str, typer.Option(help="dollars for a unit of the invoice's currency")
    ] = "",
    as_json: Json = False,
) -> None:
    """Explain each difference between a vendor's invoice and the ledger; exit code 1 where a part
    of it has no explanation.

    Understood are OpenAI's cost and usage exports, Azure's cost export, and a table with columns
    day, model, cost and, better, requests, tokens_in, tokens_cached, tokens_out.
    """
    how = Reading(columns=_columns(columns), usd_per_unit=_rate(usd_per_unit))
    names = _pairs(name or (), "--map", "INVOICE'S NAME=deployment or model")
    invoice = read_invoice(files, how)
    with open_services() as services:
        services.catch_clock_up()
        terms = Terms(
            deployments=services.deployments,
            now_ms=services.clock.now_ms(),
            names=names,
            hosts=frozenset(host or ()),
        )
        found = compare(services.database, invoice, terms)
    if as_json:
        print_json(found)
    else:
        _print(found)
    if found.unexplained_lines:
        raise typer.Exit(FAILED)


def _columns(text: str) -> Mapping[Field, str]:
    given = _pairs([part for part in text.split(",") if part.strip()], "--columns", "day=NAME")
    known: dict[str, Field] = {field: field for field in FIELDS}
    for field in given:
        if field not in known:
            raise InputError(f"--columns: got {field!r}, expected one of {', '.join(FIELDS)}")
    return {known[field]: column for field, column in given.items()}


def _pairs(given: Sequence[str], option: str, expected: str) -> dict[str, str]:
    pairs = {}
    for one in given:
        left, sign, right = one.rpartition("=")
        if not (sign and left.strip() and right.strip()):
            raise InputError(f"{option}: got {one[:80]!r}, expected {expected}")
        pairs[left.strip()] = right.strip()
    return pairs


def _rate(text: str) -> Decimal | None:
    if not text:
        return None
    rate = amount_of(text)
    if rate is None or rate <= 0:
        raise InputError(f"--usd-per-unit: got {text[:40]!r}, expected an amount such as 1.0834")
    return rate


def _print(found: Reconciliation) -> None:
    differing = [line for line in found.lines if line.difference_usd or line.unexplained_usd]
    for line in differing[:_SHOWN]:
        _print_line(line)
    if len(differing) > _SHOWN:
        _say(f"and {len(differing) - _SHOWN:,} lines more; --json lists them all")
    _say(
        f"{found.since} to {found.until}, {len(found.lines):,} lines of {found.format}'s, "
        f"{', '.join(found.hosts) or 'no host of the ledger'}: invoice {found.invoice_usd:,.6f}, "
        f"ledger {found.ledger_usd:,.6f}, difference {found.difference_usd:+,.6f} USD"
    )
    if found.day_starts_at != "+00:00":
        _say(f"the vendor's days are those of UTC{found.day_starts_at}")
    if found.skipped:
        _say(f"{found.skipped:,} rows of the file are about something else")
    for kind, amount in found.reasons_usd.items():
        _say(f"{kind:<12}{amount:+,.6f}")
    _say(f"{'unexplained':<12}{found.unexplained_usd:+,.6f} in {found.unexplained_lines:,} lines")


def _print_line(line: Difference) -> None:
    _say(
        f"{line.day} {line.model or 'all models'}: invoice {line.invoice_usd:,.6f}, "
        f"ledger {line.ledger_usd:,.6f}, {line.difference_usd:+,.6f} USD"
    )
    for reason in line.reasons:
        about = "" if reason.exact else " or so"
        _say(f"  {reason.kind} {reason.amount_usd:+,.6f}{about}: {reason.detail}")
    if line.unexplained_usd:
        _say(f"  UNEXPLAINED {line.unexplained_usd:+,.6f}: {line.hint}")


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
