"""A split in time: what came before a moment is learned, what people wanted after it is asked.

Leave-one-out learns from what others did after the moment it asks about; here nobody knows the
future. Asked is each person's last new item, one drawn by chance, or every one in turn: `last` and
`random` agree best with asking in turn as the log goes on, asking for all of somebody's items at
once agrees badly (Gusak et al. 2025, "Time to Split", RecSys), so that is not offered. A model
reads what the person did up to the question, also behind the split, but learned nothing of it.

Nobody and nothing is left out for being new: strangers and items first seen after the split are
asked for like the rest, and are reported apart too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
import polars as pl

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.learning.sequences.flat import Longs, Sequences
from inhouse.learning.sequences.holdout import HoldOut

Target = Literal["last", "random", "successive"]
TARGETS: Final[tuple[Target, ...]] = get_args(Target)
COLUMNS: Final = ("user", "item", "at_ms")
MOST_QUESTIONS: Final = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Wants:
    """What people wanted for the first time, in the order of time. Items are numbered as they
    came, so the items there were at a moment are the first so many."""

    users: Longs  # [n] from 0
    items: Longs  # [n]
    at_ms: Longs  # [n] never falling
    item_names: tuple[str, ...]  # [items]
    repeats: int  # events on items that the person had wanted before, left out


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """What is learned, and what is asked."""

    at_ms: int  # when the questions begin
    learned: Sequences  # of people who wanted something before
    learned_wants: slice  # the same as rows of the wants
    questions: HoldOut
    users: Longs  # [questions] whom each is asked of
    strangers: int  # questions of people of whom nothing is learned
    possible: int  # questions there were; `questions` holds a part drawn by chance of very many


def read_wants(path: Path) -> Wants:
    """A Parquet or CSV file with columns user, item, at_ms, in any order; .csv.gz too.

    Raises InputError where it cannot be read, lacks a column, or a row lacks a value.
    """
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if kind not in ("csv", "parquet"):
        raise InputError(f"{path}: got .{kind}, expected .parquet or .csv")
    try:
        frame = (
            pl.read_parquet(path)
            if kind == "parquet"
            else pl.read_csv(path, schema_overrides={"user": pl.String, "item": pl.String})
        )
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"cannot read {path}: {reason}; check the file") from error
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise InputError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(frame.columns)}"
        )
    if not frame["at_ms"].dtype.is_integer():
        raise InputError(f"{path}: at_ms is {frame['at_ms'].dtype}, expected milliseconds")
    empty = sum(frame[name].null_count() for name in COLUMNS)
    if empty:
        raise InputError(f"{path}: {empty} values are missing; remove those rows first")
    return wants_of(
        frame["user"].cast(pl.String).to_list(),
        frame["item"].cast(pl.String).to_list(),
        frame["at_ms"].to_numpy().astype(np.int64),
    )


def wants_of(users: Sequence[str], items: Sequence[str], at_ms: Longs) -> Wants:
    """From events in any order; those of one moment stay in the order given."""
    order = np.argsort(at_ms, kind="stable")
    person = np.unique(np.asarray(users, dtype=np.str_), return_inverse=True)[1][order]
    names, item = np.unique(np.asarray(items, dtype=np.str_), return_inverse=True)
    item = item[order]
    _, first = np.unique(person * max(len(names), 1) + item, return_index=True)
    first.sort()
    person, item = person[first], item[first]
    _, came = np.unique(item, return_index=True)
    by_arrival = np.argsort(came)
    number = np.empty(len(names), dtype=np.int64)
    number[by_arrival] = np.arange(len(names))
    return Wants(
        users=person.astype(np.int64),
        items=number[item],
        at_ms=at_ms[order][first],
        item_names=tuple(str(names[place]) for place in by_arrival),
        repeats=len(order) - len(first),
    )


def moment_of(told: str, wants: Wants) -> int:
    """When a split is: a moment such as 2026-05-01 or 2026-05-01T12:00Z, or the share of what was
    wanted before it, such as 0.9. Raises InputError where it is neither, or leaves a side empty."""
    if not len(wants.at_ms):
        raise InputError("the file holds no events; nothing can be split")
    try:
        share = float(told)
    except ValueError:
        at_ms = _moment(told)
    else:
        if not 0 < share < 1:
            raise InputError(f"split: got {told}, expected a share between 0 and 1, or a moment")
        at_ms = int(wants.at_ms[int(share * len(wants.at_ms))])
    first, last = int(wants.at_ms[0]), int(wants.at_ms[-1])
    if not first < at_ms <= last:
        raise InputError(
            f"split: {told} is {_told(at_ms)}, expected later than {_told(first)} and not later"
            f" than {_told(last)}, the first and the last event"
        )
    return at_ms


def split_at(wants: Wants, at_ms: int, target: Target = "last", seed: int = 0) -> Split:
    """Learn what came before `at_ms`; ask for what came then or later.

    Of more than 50,000 questions so many are drawn by chance.
    """
    border = int(np.searchsorted(wants.at_ms, at_ms, side="left"))
    order = np.argsort(wants.users, kind="stable")  # person by person, each in the order of time
    people, starts = np.unique(wants.users[order], return_index=True)
    whole = Sequences(
        items=wants.items[order], starts=np.append(starts, len(order)).astype(np.int64)
    )
    learned = whole.cut(whole.starts[:-1], np.bincount(wants.users[:border], minlength=len(people)))
    asked = _asked(order, wants.users, border, target, seed)
    possible = len(asked)
    if possible > MOST_QUESTIONS:
        drawn = stream(seed, "time split", "drawn").choice(possible, MOST_QUESTIONS, replace=False)
        asked = asked[np.sort(drawn)]
    users = wants.users[order[asked]]
    first = whole.starts[users]
    competing = np.maximum.accumulate(wants.items) + 1  # [n] items that had come by then
    return Split(
        at_ms=at_ms,
        learned=learned.take(np.flatnonzero(learned.lengths)),
        learned_wants=slice(0, border),
        questions=HoldOut(
            sequences=whole.cut(first, asked + 1 - first),
            counts=learned.counts(len(wants.item_names)),
            seed=seed,
            fewest=1,
            people=users,
            arrived=competing[order[asked]],
        ),
        users=users,
        strangers=int((learned.lengths[users] == 0).sum()),
        possible=possible,
    )


def _asked(order: Longs, users: Longs, border: int, target: Target, seed: int) -> Longs:
    """Places in `order` of what is asked for, rising."""
    after = np.flatnonzero(order >= border)
    if target == "successive":
        return after
    person = users[order[after]]
    _, first, count = np.unique(person, return_index=True, return_counts=True)
    dice = stream(seed, "time split", "random")
    place = count - 1 if target == "last" else dice.integers(0, count)
    asked: Longs = after[first + place]
    return asked


def _moment(told: str) -> int:
    try:
        found = datetime.fromisoformat(told)
    except ValueError:
        raise InputError(
            f"split: got {told!r}, expected a share such as 0.9 or a moment such as"
            " 2026-05-01T12:00Z"
        ) from None
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1_000)


def _told(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="seconds")
