"""What an experiment's arm may vary: the knobs of the feed, by name.

An arm carries settings such as `{"ranker": "popular"}` or `{"weight_p_like": 6.0}`. Those whose
names are knobs of the feed are taken; others belong to other parts.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from inhouse.core.errors import Fault
from inhouse.core.logs import logger
from inhouse.recommend.settings import RecommendSettings

Ranker = Literal["learned", "popular"]
RANKERS: Final[tuple[Ranker, ...]] = get_args(Ranker)
_SETTING_KNOBS: Final = ("explore_share", "diversity", "creator_cap")
_WEIGHT: Final = "weight_"
_MOST_WEIGHT: Final = 10_000.0
_LOG = logger("feed")


@dataclass(frozen=True, kw_only=True, slots=True)
class ValueWeights:
    """What one unit of each prediction is worth; their weighted sum orders the feed.

    The unit is one certain click. A certain hide outweighs fifteen of them.
    """

    p_click: float = 1.0  # opens it
    p_like: float = 4.0  # likes, comments, shares or saves it
    p_hide: float = -15.0  # hides or reports it
    dwell_s: float = 0.03  # each second expected on it if all were equally long, up to a minute


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuning:
    """The knobs in force for one request."""

    ranker: Ranker = "learned"  # popular: order by popularity alone, the arm to beat
    explore_share: float = 0.1  # see RecommendSettings
    diversity: float = 0.25
    creator_cap: int = 3
    weights: ValueWeights = field(default_factory=ValueWeights)


KNOBS: Final[tuple[str, ...]] = (
    "ranker",
    *_SETTING_KNOBS,
    *(f"{_WEIGHT}{weight.name}" for weight in dataclasses.fields(ValueWeights)),
)


def tuning_of(settings: RecommendSettings, varied: Mapping[str, object]) -> Tuning:
    """The settings as an experiment varies them; a value that cannot be used is left out."""
    knobs: dict[str, object] = {name: getattr(settings, name) for name in _SETTING_KNOBS}
    bad = sorted(fault.field for fault in faults_in(varied))
    if bad:
        _LOG.warning("knobs_ignored", knobs=bad)
    knobs |= {name: value for name, value in varied.items() if name not in bad}
    weights = {
        weight.name: float(str(knobs.get(f"{_WEIGHT}{weight.name}", weight.default)))
        for weight in dataclasses.fields(ValueWeights)
    }
    return Tuning(
        ranker="popular" if knobs.get("ranker") == "popular" else "learned",
        explore_share=float(str(knobs["explore_share"])),
        diversity=float(str(knobs["diversity"])),
        creator_cap=int(float(str(knobs["creator_cap"]))),
        weights=ValueWeights(**weights),
    )


def faults_in(varied: Mapping[str, object]) -> list[Fault]:
    """What is wrong with the feed's knobs among an arm's settings; ask before starting it."""
    return [
        Fault(field=name, value=repr(value)[:80], expected=_expected(name))
        for name, value in varied.items()
        if name in KNOBS and not _usable(name, value)
    ]


def _usable(name: str, value: object) -> bool:
    if name == "ranker":
        return value in RANKERS
    try:
        number = float(str(value))
    except ValueError:
        return False
    low, high = _range(name)
    return low <= number <= high


def _expected(name: str) -> str:
    if name == "ranker":
        return "one of " + ", ".join(RANKERS)
    low, high = _range(name)
    return f"a number from {low:g} to {high:g}"


def _range(name: str) -> tuple[float, float]:
    if name not in _SETTING_KNOBS:
        return -_MOST_WEIGHT, _MOST_WEIGHT
    facts = {f.name: f.metadata for f in dataclasses.fields(RecommendSettings)}[name]
    return facts["least"], facts["most"]
