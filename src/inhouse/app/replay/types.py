"""The nouns of a replay."""

from dataclasses import dataclass, field

from inhouse.learning.settings import LearningSettings
from inhouse.recommend.settings import RecommendSettings
from inhouse.stats.types import Interval, NotEnough

Measured = Interval | NotEnough


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplaySettings:
    """How recorded behaviour is played. The defaults are those that serve, but for exploration:
    nobody sees the pages of a replay, so a place given to chance could teach nothing."""

    k: int = 10  # length of the page that is asked for
    asked_share: float = 1.0  # share of the moments before which a page is asked for, by chance
    windows: int = 5  # stretches of equal numbers of questions, reported apart
    popular_days: float = 7.0  # half-life of the popularity that the feed is measured beside
    cold_below: int = 5  # wanted events below which a person or an item counts as cold
    draws: int = 1_000  # resamples of people behind each interval
    seed: int = 0  # of everything random
    recommend: RecommendSettings = field(
        default_factory=lambda: RecommendSettings(explore_share=0.0)
    )
    learning: LearningSettings = field(default_factory=LearningSettings)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """How often the item that was wanted next stood among the first k, and how high."""

    questions: int
    hit_rate: Measured  # HR@k, interval by bootstrap over people
    ndcg: Measured  # NDCG@k, likewise


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How one ranker did."""

    name: str
    overall: Tally
    windows: tuple[Tally, ...]  # in the order of time
    cold_people: Tally  # questions of people who had wanted little before
    cold_items: Tally  # questions whose answer few had wanted before


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """The feed's page against one baseline, on the same questions."""

    baseline: str
    hit_rate: Measured  # of the feed minus that of the baseline
    ndcg: Measured


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayReport:
    """What a replay found. The first standing is the page as served, the second the feed's order
    before arranging, the others are the baselines."""

    events: int  # played
    people: int  # who did something
    items: int  # that could be shown at the end
    questions: int  # pages asked for
    rounds: int  # of learning
    snapshots: int  # of those, that passed the gate and served
    k: int
    window_starts_ms: tuple[int, ...]  # time of the first question of each window
    standings: tuple[Standing, ...]
    differences: tuple[Difference, ...]
    took_s: float  # of the whole replay


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayProgress:
    """How far a replay came."""

    events: int  # played
    total: int
    questions: int  # asked so far
    at_ms: int  # time within the recording
    doing: str  # playing, or learning
