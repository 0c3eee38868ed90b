"""What vendors' invoices look like: which column means what, and how days and amounts are read."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final, Literal

Format = Literal["openai", "azure", "plain"]
Field = Literal[
    "day", "model", "cost", "currency", "requests", "tokens_in", "tokens_cached", "tokens_out"
]
FIELDS: Final[tuple[Field, ...]] = (
    "day",
    "model",
    "cost",
    "currency",
    "requests",
    "tokens_in",
    "tokens_cached",
    "tokens_out",
)
Part = Literal["fresh", "cached", "out", "capacity", ""]

# Names of columns by what they mean, the first one that is there counts. In lower case.
_OPENAI: Final[Mapping[Field, tuple[str, ...]]] = {
    "day": ("start_time_iso", "start_time"),
    "model": ("line_item", "model"),
    "cost": ("amount_value",),
    "currency": ("amount_currency",),
    "requests": ("num_model_requests",),
    "tokens_in": ("input_tokens",),
    "tokens_cached": ("input_cached_tokens",),
    "tokens_out": ("output_tokens",),
}
_AZURE: Final[Mapping[Field, tuple[str, ...]]] = {
    "day": ("date", "usagedate", "usagedatetime"),
    "model": ("metername", "meter"),
    "cost": ("costinusd", "costinbillingcurrency", "cost", "pretaxcost", "costusd"),
    "currency": ("billingcurrency", "billingcurrencycode", "currency"),
}
_PLAIN: Final[Mapping[Field, tuple[str, ...]]] = {
    "day": ("day", "date", "month"),
    "model": ("model", "deployment", "name"),
    "cost": ("cost_usd", "cost", "amount_usd", "amount"),
    "currency": ("currency",),
    "requests": ("requests", "calls"),
    "tokens_in": ("tokens_in", "input_tokens", "prompt_tokens"),
    "tokens_cached": ("tokens_cached", "cached_tokens", "input_cached_tokens"),
    "tokens_out": ("tokens_out", "output_tokens", "completion_tokens"),
}
COLUMNS: Final[Mapping[Format, Mapping[Field, tuple[str, ...]]]] = MappingProxyType(
    {"openai": _OPENAI, "azure": _AZURE, "plain": _PLAIN}
)
QUANTITY: Final = ("quantity", "usagequantity", "consumedquantity")
UNIT: Final = ("unitofmeasure",)
_IN_DOLLARS: Final = frozenset(("costinusd", "costusd", "cost_usd", "amount_usd"))
# Columns that say what an Azure row is about; some of them are in every version of the export.
ABOUT: Final = ("metercategory", "metersubcategory", "productname", "product", "servicefamily")
_MODELS: Final = ("openai", "foundry models", "cognitive services")
_PARTS: Final[Mapping[str, Part]] = {
    "inp": "fresh",
    "input": "fresh",
    "in": "fresh",
    "outp": "out",
    "output": "out",
    "out": "out",
    "opt": "out",
    "cached": "cached",
    "cchd": "cached",
    "cache": "cached",
}
_CAPACITY: Final = frozenset(("provisioned", "ptu"))
# Words of a meter's name that say where and how, not which model.
_WHERE: Final = (
    "glbl",
    "global",
    "gl",
    "regnl",
    "regional",
    "rgnl",
    "data",
    "dzone",
    "dz",
    "zone",
    "zn",
)
_HOW: Final = ("tokens", "token", "txt", "text", "1k", "1m", "managed", "unit", "units", "hosting")
_ELSE: Final = frozenset((*_WHERE, *_HOW, "hours"))
_WORDS: Final = re.compile(r"[^\s\-_]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Meter:
    """What a name on an invoice is about."""

    model: str
    part: Part  # of what; empty where of everything


def format_of(header: Sequence[str], columns: Mapping[Field, str]) -> Format | None:
    """By the columns that only one of them has; None where a day, a model or a cost is missing."""
    names = {name.strip().lower() for name in header}
    if "start_time" in names or "start_time_iso" in names:
        return "openai"
    if names & {"metername", "meter"} and names & set(ABOUT):
        return "azure"
    able = all(field in columns or names & set(_PLAIN[field]) for field in ("day", "model", "cost"))
    return "plain" if able else None


def is_in_dollars(column: str) -> bool:
    """Whether a column's name itself says so."""
    return column.lower() in _IN_DOLLARS


def is_about_models(row: Mapping[str, str]) -> bool:
    """Whether a row of an Azure export is: it lists everything that a subscription pays for."""
    told = " ".join(row.get(name, "") for name in ABOUT).lower()
    return any(name in told for name in _MODELS)


def line_item(name: str) -> Meter:
    """OpenAI's `MODEL, input`.

    >>> line_item("gpt-4o-mini-2024-07-18, cached input")
    Meter(model='gpt-4o-mini-2024-07-18', part='cached')
    """
    model, _, rest = name.partition(",")
    words = rest.lower().split()
    part: Part = "cached" if "cached" in words else _PARTS.get(words[-1], "") if words else ""
    return Meter(model=model.strip(), part=part)


def meter(name: str) -> Meter:
    """Azure's name of a meter.

    >>> meter("gpt-4o-mini-0718-cached-Inp-glbl Tokens")
    Meter(model='gpt-4o-mini-0718', part='cached')
    >>> meter("Provisioned Managed Global Unit")
    Meter(model='provisioned', part='capacity')
    """
    words = _WORDS.findall(name.lower())
    parts = [_PARTS[word] for word in words if word in _PARTS]
    if _CAPACITY & set(words):
        part: Part = "capacity"
    else:
        part = "cached" if "cached" in parts else parts[0] if parts else ""
    return Meter(model="-".join(w for w in words if w not in _PARTS and w not in _ELSE), part=part)


def thousands(unit: str) -> int:
    """How many tokens a unit of measure stands for.

    >>> thousands("1K"), thousands("1M Tokens"), thousands("100 Tokens"), thousands("")
    (1000, 1000000, 100, 1)
    """
    found = re.match(r"\s*(\d+)\s*([KkMm]?)", unit)
    if found is None:
        return 1
    scale = {"": 1, "k": 1_000, "m": 1_000_000}[found[2].lower()]
    return int(found[1]) * scale


def day_of(text: str) -> str | None:
    """A day, or a month, however it is written; None where it is neither.

    >>> day_of("2026-01-31T00:00:00+00:00"), day_of("01/31/2026"), day_of("1769817600")
    ('2026-01-31', '2026-01-31', '2026-01-31')
    >>> day_of("2026-01"), day_of("20260131"), day_of("31.1.")
    ('2026-01', '2026-01-31', None)
    """
    text = text.strip()
    if re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text):
        return text
    try:
        if re.fullmatch(r"\d{9,11}", text):
            return datetime.fromtimestamp(int(text), UTC).date().isoformat()
        american = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text)
        if american:
            month, day, year = map(int, american.groups())
            return date(year, month, day).isoformat()
        return datetime.fromisoformat(text).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def amount_of(text: str) -> Decimal | None:
    """An amount; None where it is none. A comma is none: nobody can tell thousands from decimals.

    >>> amount_of(" $0.10 "), amount_of("1,5"), amount_of("NaN")
    (Decimal('0.10'), None, None)
    """
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and abs(amount) < Decimal(10) ** 15 else None


def half_unit(amount: Decimal) -> Decimal:
    """Half of the last decimal shown.

    >>> half_unit(Decimal("0.10"))
    Decimal('0.005')
    """
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)  # finite
    return Decimal(5).scaleb(min(0, exponent) - 1)
