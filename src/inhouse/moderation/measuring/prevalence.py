"""How much of each category there is, and how well it is found, from a random sample that people
looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.moderation.measuring.sampling import Drawn, Part, Sample, existing, find_sample
from inhouse.moderation.types import UNDO
from inhouse.moderation.verdicts.rows import latest_verdicts
from inhouse.stats.prevalence import Stratum, share, share_within, stratum_of
from inhouse.stats.types import Interval, NotEnough
from inhouse.store import tables
from inhouse.store.database import Database

_CHUNK: Final = 500
_Answers = Mapping[str, str | None]  # item -> the category a person named; None where allowed


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryPrevalence:
    """What the sample says of one category. A post counts for the category that the reviewer named,
    and where it was allowed for none."""

    category: str
    sampled: int  # posts drawn for it
    answered: int  # of these a person has decided on
    waiting: int  # of these nobody has yet
    gone: int  # of these were deleted or erased; the others of their part stand for them
    found: int  # of the answered belong to the category
    of_posts: Interval | NotEnough  # share of the period's posts that belong
    of_views: Interval | NotEnough  # the same of how often posts were shown in the period
    precision: Interval | NotEnough  # share of the posts at `flag_at` or above that belong
    recall: Interval | NotEnough  # share of the posts that belong that are at `flag_at` or above


@dataclass(frozen=True, kw_only=True, slots=True)
class PrevalenceReport:
    """What a sample says."""

    sample_id: str
    since_ms: int  # of posts judged from here
    drawn_ms: int  # to here
    flag_at: float  # probability from which on a post counts as flagged
    seed: int  # of the draw
    posts: int  # there were
    sampled: int  # were drawn, for one category or several
    waiting: int  # of these wait for a reviewer
    categories: tuple[CategoryPrevalence, ...]


def prevalence(database: Database, sample_id: str | None = None) -> PrevalenceReport:
    """What a sample says, the latest where none is named. While posts of a category wait, there is
    no estimate of it: those decided first are no random sample. Raises UnknownError."""
    with database.read() as connection:
        sample = find_sample(connection, sample_id)
        drawn = sample.item_ids
        there = existing(connection, drawn)
        answers = _answers(connection, sample, [each for each in drawn if each in there])
    return PrevalenceReport(
        sample_id=sample.sample_id,
        since_ms=sample.since_ms,
        drawn_ms=sample.drawn_ms,
        flag_at=sample.flag_at,
        seed=sample.seed,
        posts=sample.posts,
        sampled=len(drawn),
        waiting=len(there) - len(answers),
        categories=tuple(
            _estimated(one, sample.flag_at, there, answers) for one in sample.categories
        ),
    )


def _answers(connection: Connection, sample: Sample, item_ids: Sequence[str]) -> _Answers:
    """What people say of the posts: the call in force, else what was decided since the draw and
    ended by an edit."""
    found: dict[str, str | None] = {}
    for item_id, verdict in latest_verdicts(connection, item_ids).items():
        call = verdict.evidence.person
        if call is not None and call.action != "review":
            found[item_id] = call.category
    others = [item_id for item_id in item_ids if item_id not in found]
    return found | _decided_since(connection, others, sample.drawn_ms)


def _decided_since(
    connection: Connection, item_ids: Sequence[str], since_ms: int
) -> dict[str, str | None]:
    made = tables.review_decisions.c
    found: dict[str, str | None] = {}
    for start in range(0, len(item_ids), _CHUNK):
        some = item_ids[start : start + _CHUNK]
        undone = sa.select(made.undoes).where(made.undoes.is_not(None), made.item_id.in_(some))
        query = (
            sa.select(made.item_id, made.category)
            .where(
                made.item_id.in_(some),
                made.at_ms >= since_ms,
                made.action != UNDO,
                made.decision_id.not_in(undone),
            )
            .order_by(made.log_offset)
        )
        found.update((item_id, category) for item_id, category in connection.execute(query))
    return found


def _estimated(
    drawn: Drawn, flag_at: float, there: set[str], answers: _Answers
) -> CategoryPrevalence:
    category = drawn.category
    ids = [item_id for part in drawn.parts for item_id in part.item_ids]
    answered = [item_id for item_id in ids if item_id in answers]
    gone = sum(item_id not in there for item_id in ids)
    waiting = len(ids) - len(answered) - gone
    by_posts = [_stratum(part, category, answers, by_views=False) for part in drawn.parts]
    flags = [part.low_p >= flag_at for part in drawn.parts]
    flagged = [stratum for stratum, flag in zip(by_posts, flags, strict=True) if flag]
    rest = [stratum for stratum, flag in zip(by_posts, flags, strict=True) if not flag]
    early = _early(len(answered), waiting)
    return CategoryPrevalence(
        category=category,
        sampled=len(ids),
        answered=len(answered),
        waiting=waiting,
        gone=gone,
        found=sum(answers[item_id] == category for item_id in answered),
        of_posts=early or share(by_posts),
        of_views=early
        or share([_stratum(part, category, answers, by_views=True) for part in drawn.parts]),
        precision=early or share(flagged),
        recall=early or share_within(flagged, rest),
    )


def _early(answered: int, waiting: int) -> NotEnough | None:
    if not waiting:
        return None
    return NotEnough(
        reason="sampled posts wait for a reviewer", have=answered, need=answered + waiting
    )


def _stratum(part: Part, category: str, answers: _Answers, *, by_views: bool) -> Stratum:
    known = [
        (answers[item_id] == category, views)
        for item_id, views in zip(part.item_ids, part.item_views, strict=True)
        if item_id in answers
    ]
    found = [belongs for belongs, _ in known]
    if not by_views:
        return stratum_of(part.posts, found)
    return stratum_of(part.posts, found, [float(views) for _, views in known], float(part.views))
