"""Numbers, money and times as people read them. What is unknown says so and is never 0."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from inhouse.core.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

UNKNOWN: Final = "—"
_UNITS: Final = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"), (SECOND_MS, "s"))


def count(number: int | float | None) -> str:
    """A whole number with thousands apart.

    >>> count(1234567)
    '1,234,567'
    """
    return UNKNOWN if number is None else f"{number:,.0f}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """A number and its noun.

    >>> plural(1, "case"), plural(1200, "case")
    ('1 case', '1,200 cases')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def share(part: float | None, digits: int = 0) -> str:
    """A share of one as a percentage.

    >>> share(0.4712), share(0.4712, 1), share(None)
    ('47%', '47.1%', '—')
    """
    return UNKNOWN if part is None else f"{part:.{digits}%}"


def signed_share(part: float, digits: int = 0) -> str:
    """A change as a percentage with its sign, a real minus included.

    >>> signed_share(0.12), signed_share(-0.051), signed_share(0.0001)
    ('+12%', '−5%', '±0%')
    """
    text = f"{abs(part):.{digits}%}"
    if not float(text[:-1]):
        return f"±{text}"
    return f"{'+' if part > 0 else '−'}{text}"


def probability(p: float | None) -> str:
    """A probability to two digits.

    >>> probability(0.0312), probability(None)
    ('0.03', '—')
    """
    return UNKNOWN if p is None else f"{p:.2f}"


def money(usd: Decimal | None) -> str:
    """Dollars: to the cent from one cent on, else to the first two digits that are not zero.

    >>> money(Decimal("1234.5")), money(Decimal("0.00123")), money(Decimal(0)), money(None)
    ('$1,234.50', '$0.0012', '$0.00', 'no price')
    """
    if usd is None:
        return "no price"
    size = abs(usd)
    tiny = 0 < size < Decimal("0.01")
    digits = min(1 - size.adjusted(), 12) if tiny else 2
    rounded = size.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    return f"{'−' if usd < 0 else ''}${rounded:,}"


def span(ms: float | None) -> str:
    """A length of time in its two largest units.

    >>> span(500), span(59_000), span(3_660_000), span(187_200_000), span(None)
    ('0.5 s', '59 s', '1 h 1 min', '2 d 4 h', '—')
    """
    if ms is None:
        return UNKNOWN
    if ms < 10 * SECOND_MS:
        return f"{ms / SECOND_MS:.1f} s".replace(".0 s", " s")
    rest = round(ms)
    parts: list[str] = []
    for size, unit in _UNITS:
        if rest >= size or parts:
            parts.append(f"{rest // size} {unit}" if rest >= size else "")
            rest %= size
        if len(parts) == 2:
            break
    return " ".join(filter(None, parts))


def ago(at_ms: int | None, now_ms: int) -> str:
    """How long ago something was, by the community's clock.

    >>> ago(0, 90_000), ago(1_000, 1_500), ago(None, 5)
    ('1 min 30 s ago', 'now', 'never')
    """
    if at_ms is None:
        return "never"
    passed = now_ms - at_ms
    return "now" if passed < SECOND_MS else f"{span(passed)} ago"


def day(at_ms: int) -> str:
    """A day, short.

    >>> day(1_717_200_000_000)
    'Sat 1 Jun'
    """
    return f"{_utc(at_ms):%a} {_utc(at_ms).day} {_utc(at_ms):%b}"


def date(at_ms: int) -> str:
    """A day with its year, for what is far away.

    >>> date(1_717_200_000_000)
    '1 Jun 2024'
    """
    return f"{_utc(at_ms).day} {_utc(at_ms):%b %Y}"


def moment(at_ms: int) -> str:
    """A day and the time of day, UTC.

    >>> moment(1_717_200_000_000)
    'Sat 1 Jun, 00:00'
    """
    return f"{day(at_ms)}, {_utc(at_ms):%H:%M}"


def minutes(ms: float | None) -> str:
    """A length of time in minutes, to one digit.

    >>> minutes(90_000), minutes(None)
    ('1.5 min', '—')
    """
    return UNKNOWN if ms is None else f"{ms / MINUTE_MS:,.1f} min"


def shortened(text: str, most: int) -> str:
    """The beginning of a text.

    >>> shortened("a long text", 7)
    'a long…'
    """
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _utc(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
