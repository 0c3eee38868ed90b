"""The nouns of engagement. Days are UTC; a rate that cannot be known is None."""

from dataclasses import dataclass

from inhouse.stats.types import Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class DayMetrics:
    """What happened on one day. A person is active on a day on which any event of theirs falls."""

    day: str  # 2026-03-01, UTC
    complete: bool  # whether the day is over
    dau: int  # people active on the day
    wau: int  # people active in the 7 days up to and with it
    mau: int  # people active in the 28 days up to and with it
    stickiness: float | None  # dau / mau
    new: int  # active people never seen before
    returning: int  # active people who were active the day before too
    resurrecting: int  # active people seen before, but not the day before
    dormant: int  # people active the day before and not on this one
    sessions: int  # sessions that began on the day; 30 minutes without an event end one
    sessions_per_person: float | None  # sessions / dau
    session_ms_mean: float | None  # from a session's first event to its last
    session_ms_median: float | None  # as above; 0 where most sessions are a single event
    time_ms: float  # watch and dwell time together
    time_ms_per_person: float | None  # time_ms / dau
    impressions: int  # posts seen, repeats counted
    likes: int  # likes given
    hides: int  # posts hidden
    reports: int  # posts reported
    hides_per_1k: float | None  # per thousand impressions
    reports_per_1k: float | None  # per thousand impressions


@dataclass(frozen=True, kw_only=True, slots=True)
class Return:
    """How many of some people were active again exactly so many days after their first day."""

    people: int  # whose day has come and is over
    came_back: int  # of them, active on that day
    rate: Interval  # came_back / people, with Wilson's interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Cohort:
    """People first seen on one day; a return is None while its day is not over."""

    day: str  # their first day
    people: int  # how many
    d1: Return | None  # active on the next day
    d7: Return | None  # active seven days later
    d30: Return | None  # active thirty days later


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """Returns of all cohorts of a window together; None where nobody's day is over yet."""

    d1: Return | None  # next day
    d7: Return | None  # seven days later
    d30: Return | None  # thirty days later


@dataclass(frozen=True, kw_only=True, slots=True)
class CreatorMetrics:
    """How attention was spread over posts and over those who made them."""

    posts: int  # in the catalog
    posts_seen: int  # with at least one impression in the window
    share_seen: float | None  # posts_seen / posts
    creators: int  # who have posted
    creators_seen: int  # with at least one impression in the window
    impressions: int  # in the window
    gini_posts: float | None  # inequality of impressions over all posts, unseen ones too
    gini_creators: float | None  # the same over all creators


@dataclass(frozen=True, kw_only=True, slots=True)
class Engagement:
    """The whole picture at one moment."""

    at_ms: int  # the moment asked about
    log_offset: int  # of the last event counted
    days: tuple[DayMetrics, ...]  # oldest first; none before the first event
    retention: Retention  # over the cohorts of the window whose day is over
    cohorts: tuple[Cohort, ...]  # oldest first, one a day on which somebody was new
    active_days: tuple[int, ...]  # people active on exactly 1, 2, … 28 of the last 28 days
    creators: CreatorMetrics  # over the same days
