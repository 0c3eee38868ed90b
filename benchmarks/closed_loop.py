"""Does the feed please people who live on it, and do they come back? A community with hidden truth.

For each seed the same community begins four times and lives for some days under one feed each, from
nothing, as an app would: the feed as it serves (`full`), the popularity arm (`popular`), the newest
posts that were not seen (`latest`), and the learned taste alone, best dot product first (`taste`).
Feeds know what an app knows and learn from what came of their own pages; only the measures know the
truth. Moderation is the same for all. Randomness is one stream per purpose, so differences between
feeds are paired by seed; intervals are Student's t over seeds.

satisfaction        mean true satisfaction of a visit
place satisfaction  mean true chance that a post on the screen satisfies, from top to bottom
day 7               of the people whose first day has a day 7, those who were active on it
next day            of all active days, those followed by another
p return            mean true chance to come on an average day, at the end, of all who ever came
new creators        places that came on the screen and went to creators who joined after the
                    community began, over what they would have of the same places if each was dealt
                    among its peers, posts of the same hours that the person might see; 1 is fair:
 / best of peers    given to the truly best after those above, tiredness included, as an omniscient
                    feed would that shows posts of the same age
 / by merit         in proportion to the true chance to satisfy (Singh and Joachims, KDD 2018)
 / best page        not among peers: over what they have on the truly best page of posts of any age,
                    most of which are older than any new creator
neighbours          pages of 20 on which one creator stands twice in a row though the posts that the
                    rules let the person see could stand apart; who has seen all else may have no
                    other
repeated            pages that show one of the last 500 posts served to the person

Feeds prefer recent posts, and new creators have no others, so among posts of any age recency alone
would look like favour: hence peers (`fair_share`). Intervals of these ratios are a bootstrap over
seeds.

A run that is stopped goes on where `--kept` says; its lines are kept as they come.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from benchmarks.closed_loop_life import Size, lived
from benchmarks.common import Report, arguments, console
from benchmarks.living import MANNERS
from inhouse.stats.intervals import bootstrap, mean_interval
from inhouse.stats.types import Floats, Interval, NotEnough

Line = Mapping[str, Any]  # of one seed under one feed
MEASURES: Final[Mapping[str, str]] = {
    "satisfaction": "satisfaction",
    "late satisfaction": "late_satisfaction",
    "place satisfaction": "place_satisfaction",
    "day 7": "day_7",
    "next day": "next_day",
    "p return": "p_return",
    "left for good": "left",
}
SHARES: Final[Mapping[str, str]] = {
    "best of peers": "new_best_peers",
    "by merit": "new_by_merit",
    "best page": "new_best_page",
}
COUNTS: Final = ("pages", "neighbours", "repeated")


def _extra(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=20, help="how many communities")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--people", type=int, default=130, help="at the start")
    parser.add_argument("--posts", type=int, default=600, help="at the start")
    parser.add_argument("--joining", type=float, default=0.06, help="a day, of these people")
    parser.add_argument("--days", type=int, default=8)
    parser.add_argument("--kept", type=Path, help="figures of each seed and feed, one a line")


def main() -> None:
    """Play what is not in the file yet, then tell."""
    options = arguments("a community under four feeds", _extra)
    if options.quick:
        options.seeds, options.people, options.posts = min(options.seeds, 2), 60, 200
    torch.set_num_threads(1)
    lines = played(options)
    report = Report("closed loop", ("feed", "against", "measure", "figure", "range", "settled"))
    for row in rows_of(lines):
        report.add(**row)
    report.finish(options)


def played(options: argparse.Namespace) -> list[Line]:
    """The lines of all seeds and feeds asked for, those kept by an earlier run as well."""
    size = Size(
        people=options.people, posts=options.posts, joining=options.joining, days=options.days
    )
    kept = _kept(options.kept, size)
    lines = []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for manner in MANNERS:
            line = kept.get((seed, manner.name))
            if line is None:
                found = lived(manner, seed, size)
                line = {"seed": seed, "feed": manner.name, "size": asdict(size), **found}
                _keep(options.kept, line)
                console.print(f"seed {seed}, {manner.name}: {found['satisfaction']:.3f}")
            lines.append(line)
    return lines


def _kept(path: Path | None, size: Size) -> dict[tuple[int, str], Line]:
    """What an earlier run of this size has played."""
    if path is None or not path.exists():
        return {}
    lines = [json.loads(text) for text in path.read_text("utf-8").splitlines()]
    return {(line["seed"], line["feed"]): line for line in lines if line["size"] == asdict(size)}


def _keep(path: Path | None, line: Line) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def rows_of(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Each feed alone, then the full feed minus each other, seed by seed."""
    by_feed: dict[str, list[Line]] = {}
    for line in sorted(lines, key=lambda line: line["seed"]):
        by_feed.setdefault(line["feed"], []).append(line)
    rows = []
    for feed, theirs in by_feed.items():
        for name, key in MEASURES.items():
            rows.append({"feed": feed, "measure": name, **_told(_mean(_of(theirs, key)))})
        for name, key in SHARES.items():
            found = _ratio(theirs, "new", key)
            rows.append({"feed": feed, "measure": f"new creators / {name}", **_told(found)})
        for name in COUNTS:
            rows.append({"feed": feed, "measure": name, "figure": sum(t[name] for t in theirs)})
    ours = by_feed.pop("full", [])
    for feed, theirs in by_feed.items():
        for name, key in MEASURES.items():
            told = _told(_mean(_of(ours, key) - _of(theirs, key)), signed=True)
            rows.append({"feed": "full", "against": feed, "measure": name, **told})
    return rows


def _mean(values: Floats) -> Interval | NotEnough:
    """Of the seeds that have a figure."""
    return mean_interval(values[np.isfinite(values)])


def _of(lines: Sequence[Line], key: str) -> Floats:
    """float64[seeds], nan where nothing stands behind a figure."""
    return np.array([line[key] for line in lines], dtype=np.float64)


def _ratio(lines: Sequence[Line], part: str, whole: str) -> Interval | NotEnough:
    """Of the sums over seeds; seeds are drawn again."""
    sums = np.column_stack([_of(lines, part), _of(lines, whole)])
    if not (sums[:, 1] > 0).all():
        return NotEnough(reason="a seed without new creators", have=len(lines))
    return bootstrap(sums, _of_sums, seed=0)


def _of_sums(rows: Floats) -> float:
    part, whole = rows.sum(axis=0)
    return float(part / whole)


def _told(found: Interval | NotEnough, *, signed: bool = False) -> dict[str, Any]:
    if isinstance(found, NotEnough):
        return {"range": found.reason}
    form = "+.4f" if signed else ".4f"
    told = {"figure": found.estimate, "range": f"{found.low:{form}} to {found.high:{form}}"}
    return {**told, "settled": "yes" if found.excludes_zero else "no"} if signed else told


if __name__ == "__main__":
    main()
