"""Reading an invoice: rows of files into one line for each day and model."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Final

from inhouse.core.errors import Fault, InputError, SettingError
from inhouse.models.reconcile import formats
from inhouse.models.reconcile.formats import COLUMNS, FIELDS, Field, Format, Meter
from inhouse.models.reconcile.types import Invoice, InvoiceLine, Tokens

MOST_BYTES: Final = 256 * 1024 * 1024
_MOST_FAULTS: Final = 20
_DELIMITERS: Final = ",;\t"
_LONGEST: Final = 200  # of a model's name


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How files are to be understood."""

    columns: Mapping[Field, str] = field(default_factory=dict)  # names of columns, where unusual
    usd_per_unit: Decimal | None = None  # what a unit of the invoice's currency is worth


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sheet:
    """A file's columns, found."""

    path: Path
    format: Format
    columns: Mapping[Field, str]  # as the header spells them, in lower case


@dataclass(slots=True)
class _Sum:
    """What rows of one day and model come to so far."""

    rows: list[int] = field(default_factory=list)
    cost: Decimal | None = None
    half_unit: Decimal = Decimal(0)
    requests: int | None = None
    counts: dict[str, int] = field(default_factory=dict)  # fresh, cached, out
    capacity: bool = False


def read_invoice(paths: Sequence[Path], how: Reading) -> Invoice:
    """One invoice of one or more files: OpenAI tells costs in one and usage in another.

    Raises InputError where a file cannot be read or is in no known format, SettingError with every
    fault where rows are wrong.
    """
    sums: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
    faults: list[Fault] = []
    skipped, found = 0, set()
    for path in paths:
        sheet, rows = _open(path, how)
        found.add(sheet.format)
        for number, row in rows:
            if len(faults) >= _MOST_FAULTS:
                break
            if not any(row.values()) or not _is_wanted(sheet, row):
                skipped += 1
                continue
            faults += _add(sums, _Row(sheet=sheet, number=number, cells=row, how=how))
    if faults:
        raise SettingError("the invoice cannot be read; mend or leave out the rows", faults)
    if len(found) > 1:
        raise InputError(f"got files in the formats {', '.join(sorted(found))}; give one vendor's")
    return Invoice(format=found.pop(), lines=_lines(sums), skipped=skipped)


def _is_wanted(sheet: _Sheet, row: Mapping[str, str]) -> bool:
    if sheet.format == "azure":
        return formats.is_about_models(row)
    # OpenAI's export has a row for each day without any charge.
    return sheet.format != "openai" or any(
        row.get(sheet.columns[name]) for name in ("cost", "model") if name in sheet.columns
    )


def _open(path: Path, how: Reading) -> tuple[_Sheet, list[tuple[int, dict[str, str]]]]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} has more than {MOST_BYTES:,} bytes; cut it by month")
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}; give a CSV file in UTF-8") from None
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        rows = list(_rows(text, delimiter))
    except csv.Error as error:
        raise InputError(f"cannot read {path}: {error}; give a CSV file") from None
    header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    return _sheet(path, header, how), rows


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(text.splitlines(), delimiter=delimiter)
    for row in reader:
        cells = {
            name.strip().lower(): (value or "").strip()
            for name, value in row.items()
            if name and not isinstance(value, list)
        }
        yield reader.line_num, cells


def _sheet(path: Path, header: Sequence[str], how: Reading) -> _Sheet:
    names = [name.lower() for name in header]
    strange = [column for column in how.columns.values() if column.lower() not in names]
    if strange:
        raise InputError(
            f"{path} has no column {strange[0]!r}; it has {', '.join(header)[:400]}",
            field="columns",
        )
    kind = formats.format_of(header, how.columns)
    if kind is None:
        raise InputError(
            f"{path} is no invoice that is known: OpenAI's cost or usage export (start_time), "
            "Azure's cost export (MeterName, MeterCategory) or a table with day, model and cost; "
            f"its columns are {', '.join(header)[:400] or 'none'}. Say which is which with "
            "--columns day=NAME,model=NAME,cost=NAME",
            field="columns",
        )
    columns: dict[Field, str] = {}
    for name in FIELDS:
        given = [how.columns[name].lower()] if name in how.columns else []
        known = [one for one in COLUMNS[kind].get(name, ()) if one in names]
        if given or known:
            columns[name] = (given or known)[0]
    return _Sheet(path=path, format=kind, columns=columns)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """A row and how to read it."""

    sheet: _Sheet
    number: int
    cells: Mapping[str, str]
    how: Reading

    def cell(self, name: Field) -> str:
        column = self.sheet.columns.get(name)
        return "" if column is None else self.cells.get(column, "")

    def fault(self, name: Field, expected: str) -> Fault:
        where = f"{self.sheet.path.name}:{self.number} {name}"
        return Fault(field=where, value=repr(self.cell(name))[:80], expected=expected)

    def first_of(self, names: Sequence[str]) -> str:
        return next((self.cells[name] for name in names if name in self.cells), "")


def _add(sums: dict[tuple[str, str], _Sum], row: _Row) -> list[Fault]:
    """Take a row in; what is wrong with it instead."""
    day, name = formats.day_of(row.cell("day")), row.cell("model")
    if day is None:
        return [row.fault("day", "a day such as 2026-01-31")]
    if len(name) > _LONGEST:
        return [row.fault("model", f"at most {_LONGEST} characters")]
    named = _named(row.sheet.format, name)
    one = sums[day, named.model]
    one.rows.append(row.number)
    one.capacity |= named.part == "capacity"
    return [*_add_cost(one, row), *_add_counts(one, row, named)]


def _named(kind: Format, name: str) -> Meter:
    if kind == "openai":
        return formats.line_item(name)
    return formats.meter(name) if kind == "azure" else Meter(model=name, part="")


def _add_cost(one: _Sum, row: _Row) -> list[Fault]:
    text = row.cell("cost")
    if not text:
        return []
    amount = formats.amount_of(text)
    if amount is None:
        return [row.fault("cost", "an amount such as 12.34")]
    rate, fault = _rate(row)
    if fault is not None:
        return [fault]
    one.cost = (one.cost or Decimal(0)) + amount * rate
    one.half_unit += formats.half_unit(amount) * rate
    return []


def _rate(row: _Row) -> tuple[Decimal, Fault | None]:
    """Dollars for a unit of the row's currency."""
    told = row.cell("currency").upper()
    if formats.is_in_dollars(row.sheet.columns["cost"]) or told in ("", "USD"):
        return Decimal(1), None
    if row.how.usd_per_unit is None:
        return Decimal(1), row.fault("currency", "USD, or --usd-per-unit with the invoice's rate")
    return row.how.usd_per_unit, None


def _add_counts(one: _Sum, row: _Row, named: Meter) -> list[Fault]:
    if row.sheet.format == "azure":
        return _add_quantity(one, row, named)
    found: dict[Field, int] = {}
    for name in ("requests", "tokens_in", "tokens_cached", "tokens_out"):
        text = row.cell(name)
        if not text:
            continue
        amount = formats.amount_of(text)
        if amount is None or amount < 0 or amount != amount.to_integral_value():
            return [row.fault(name, "a whole number, 0 or more")]
        found[name] = int(amount)
    if "requests" in found:
        one.requests = (one.requests or 0) + found["requests"]
    if "tokens_in" in found or "tokens_out" in found:
        cached = found.get("tokens_cached", 0)
        fresh = found.get("tokens_in", 0) - cached
        if fresh < 0:
            return [row.fault("tokens_cached", "no more than the tokens read, which include them")]
        _count(one, fresh=fresh, cached=cached, out=found.get("tokens_out", 0))
    return []


def _add_quantity(one: _Sum, row: _Row, named: Meter) -> list[Fault]:
    """A meter of Azure's counts one kind of tokens, in thousands or so."""
    if named.part not in ("fresh", "cached", "out"):
        return []
    amount = formats.amount_of(row.first_of(formats.QUANTITY) or "0")
    if amount is None:
        return [row.fault("model", "a meter with a quantity")]
    tokens = amount * formats.thousands(row.first_of(formats.UNIT))
    _count(one, **{named.part: int(tokens.to_integral_value(ROUND_HALF_EVEN))})
    return []


def _count(one: _Sum, **more: int) -> None:
    for name, count in more.items():
        one.counts[name] = one.counts.get(name, 0) + count


def _lines(sums: Mapping[tuple[str, str], _Sum]) -> tuple[InvoiceLine, ...]:
    charged = {key: one for key, one in sums.items() if one.cost is not None}
    if not charged:
        raise InputError(
            "the invoice has no amounts: a usage export alone tells none; give the cost export "
            "with it, as a second file"
        )
    if len({len(day) for day, _ in charged}) > 1:
        raise InputError("the invoice has days and months; give a file of days, or one of months")
    whole = {day for day, model in charged if not model}
    lines = []
    for (day, model), one in sorted(sums.items()):
        if one.cost is None and day in whole:
            continue  # its cost is in the day's one sum
        counts = {name: one.counts.get(name, 0) for name in ("fresh", "cached", "out")}
        lines.append(
            InvoiceLine(
                day=day,
                model=model,
                rows=tuple(one.rows),
                cost_usd=one.cost or Decimal(0),
                half_unit_usd=one.half_unit,
                requests=one.requests,
                tokens=Tokens(**counts) if one.counts else None,
                capacity=one.capacity,
            )
        )
    return tuple(lines)
