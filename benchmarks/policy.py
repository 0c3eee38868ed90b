"""How fast a policy decides: one post when it is read, all that was ever posted after a change.

    python -m benchmarks.policy [--rules N] [--items N] [--quick] [--json FILE]

The policy is made up: every rule asks one to three conditions, in one or two ways. Posts have
seven probabilities and a few signals each, most of them low, as in life. `us_cpu` is time of the
processor a post, since the machine is shared; the last three rows read a store with so many posts.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

import numpy as np
from sqlalchemy.engine import Connection

from benchmarks.common import Report, arguments
from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import text_key
from inhouse.core.clock import SystemClock
from inhouse.core.ids import ItemId
from inhouse.moderation.judging.scorer import NoModel
from inhouse.moderation.past.adoption import adopt
from inhouse.moderation.past.backtest import backtest
from inhouse.moderation.past.refresh import Refresher
from inhouse.moderation.past.rescan import Rescan
from inhouse.moderation.policy.match import Condition
from inhouse.moderation.policy.types import Policy, Rule, version_of
from inhouse.moderation.recording.audited import check_verdicts
from inhouse.moderation.recording.record import VERDICT
from inhouse.moderation.signals.read import SIGNALS, SignalReader
from inhouse.moderation.tools import Rules, Tools
from inhouse.moderation.types import ACTIONS, SURFACES, Evidence, Label, Verdict
from inhouse.moderation.verdicts.board import DecisionBoard
from inhouse.moderation.verdicts.decide import decide, decide_all
from inhouse.moderation.verdicts.history import Window
from inhouse.moderation.verdicts.rows import append_verdicts, evidence_key
from inhouse.store import chain, tables
from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.migrate import migrate

CATEGORIES: Final = ("harassment", "hate", "sexual", "violence", "self_harm", "spam", "privacy")
COUNTS: Final = (*SIGNALS, *(f"terms.{category}" for category in CATEGORIES))
_IN_ONE_WRITE: Final = 10_000


def main() -> None:
    options = arguments(__doc__ or "", _options)
    items = 20_000 if options.quick else options.items
    report = Report("policy", ("what", "rules", "posts", "us_cpu", "seconds"))
    for rules in (21, options.rules):
        _in_memory(report, made_policy(rules, seed=1), min(items, 200_000))
    _in_store(report, options.rules, items)
    report.finish(options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rules", type=int, default=500)
    parser.add_argument("--items", type=int, default=1_000_000)


def made_policy(rules: int, seed: int) -> Policy:
    """So many rules, made up."""
    random = np.random.default_rng(seed)
    made = tuple(_rule(random, f"r{n}") for n in range(rules))
    categories = dict.fromkeys(CATEGORIES, "made up")
    version = version_of(f"made{seed}", categories, made)
    return Policy(name=f"made{seed}", categories=categories, rules=made, version=version)


def _rule(random: np.random.Generator, name: str) -> Rule:
    groups = [
        tuple(_condition(random) for _ in range(random.integers(1, 4)))
        for _ in range(random.integers(1, 3))
    ]
    action = ACTIONS[random.choice((1, 2, 3, 4, 5), p=(0.4, 0.2, 0.1, 0.1, 0.2))]
    spoken = dict.fromkeys(SURFACES, action)
    return Rule(name=name, category=CATEGORIES[0], when=tuple(groups), adult=spoken, minor=spoken)


def _condition(random: np.random.Generator) -> Condition:
    if random.random() < 0.6:
        low = int(random.integers(6_000, 10_000))
        return Condition(kind="p", name=str(random.choice(CATEGORIES)), low=low)
    return Condition(kind="count", name=str(random.choice(COUNTS)), low=int(random.integers(2, 9)))


def made_evidence(count: int, seed: int = 2) -> Iterator[Evidence]:
    """What models and readers might say of so many posts."""
    random = np.random.default_rng(seed)
    p = random.beta(0.25, 4.0, (count, len(CATEGORIES)))
    there = random.random((count, len(COUNTS))) < 0.08
    many = random.geometric(0.5, (count, len(COUNTS)))
    for row in range(count):
        labels = tuple(
            Label(category=name, p=float(x), source="model:made")
            for name, x in zip(CATEGORIES, p[row], strict=True)
        )
        signals = {COUNTS[i]: int(many[row, i]) for i in np.flatnonzero(there[row])}
        yield Evidence(labels=labels, signals=signals)


def _in_memory(report: Report, policy: Policy, items: int) -> None:
    seen = list(made_evidence(2_000))
    size = {"rules": len(policy.rules)}
    one = _cpu(lambda: [decide(e, policy, "feed", "adult") for e in seen]) / len(seen)
    report.add(what="decide, one surface", us_cpu=one * 1e6, posts=len(seen), **size)
    every = _cpu(lambda: [decide_all(e, policy) for e in seen]) / len(seen)
    report.add(what="decide, all surfaces", us_cpu=every * 1e6, posts=len(seen), **size)
    board = DecisionBoard(policy)
    verdicts = [_verdict(ItemId("i"), e) for e in seen]
    for start in range(0, items, len(seen)):
        board.update(range(start, start + len(seen)), verdicts)
    batch = _cpu(lambda: board.update(range(len(seen)), verdicts)) / len(seen)
    report.add(what="board, updated in batches", us_cpu=batch * 1e6, posts=len(seen), **size)
    alone = _cpu(lambda: _one_by_one(board, verdicts[:200])) / 200
    report.add(what="board, updated one by one", us_cpu=alone * 1e6, posts=200, **size)
    anew = _cpu(lambda: board.adopt(policy))
    report.add(what="board, all by another policy", us_cpu=anew / items * 1e6, posts=items, **size)


def _one_by_one(board: DecisionBoard, verdicts: Sequence[Verdict]) -> None:
    for item, verdict in enumerate(verdicts):
        board.update([item], [verdict])


def _cpu(work: Callable[[], object]) -> float:
    """Seconds of the processor, the second time."""
    work()
    began = time.process_time()
    work()
    return time.process_time() - began


def _in_store(report: Report, rules: int, items: int) -> None:
    live, tried = made_policy(rules, seed=1), made_policy(rules, seed=3)
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(StoreSettings(folder=folder))
        migrate(database)
        _fill(database, items)
        for what, work in (
            ("verdicts held against the chain", lambda: check_verdicts(database)),
            ("back-test over the store", lambda: backtest(database, live, tried, Window())),
            ("re-scan of the store", lambda: asyncio.run(_rescan(database, live, tried))),
        ):
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            seconds, spent = time.perf_counter() - wall, time.process_time() - cpu
            us = spent / items * 1e6
            report.add(what=what, rules=rules, posts=items, us_cpu=us, seconds=seconds)
        database.close()


def _fill(database: Database, items: int) -> None:
    evidence = made_evidence(items)
    for start in range(0, items, _IN_ONE_WRITE):
        ids = [ItemId(f"i{n}") for n in range(start, min(start + _IN_ONE_WRITE, items))]
        rows = [_item(item_id) for item_id in ids]
        verdicts = [_verdict(item_id, next(evidence)) for item_id in ids]
        database.write(partial(_insert, rows=rows, verdicts=verdicts))


def _insert(
    connection: Connection, rows: Sequence[dict[str, object]], verdicts: Sequence[Verdict]
) -> None:
    connection.execute(tables.items.insert(), rows)
    append_verdicts(connection, verdicts)
    chain.append(connection, [_entry(verdict) for verdict in verdicts])


def _entry(verdict: Verdict) -> chain.Entry:
    """What `record_verdicts` writes, without the statements that would come with it."""
    details: dict[str, object] = {
        "policy": verdict.policy_version,
        "model": verdict.model_version,
        "evidence": evidence_key(verdict),
    }
    return chain.Entry(
        at_ms=verdict.at_ms,
        what=VERDICT,
        actor=verdict.decided_by,
        item_id=verdict.item_id,
        details=details,
    )


def _item(item_id: ItemId) -> dict[str, object]:
    return {
        "item_id": item_id,
        "creator_id": f"c{hash(item_id) % 10_007}",
        "kind": "text",
        "title": "",
        "text": "a few words that nobody reads " * 5,
        "topics": "[]",
        "created_ms": 1,
        "hidden": False,
    }


def _verdict(item_id: ItemId, evidence: Evidence) -> Verdict:
    return Verdict(
        item_id=item_id,
        at_ms=1,
        text_key=text_key("", item_id),
        evidence=evidence,
        decided_by="no rule",
        policy_version="made",
    )


async def _rescan(database: Database, live: Policy, tried: Policy) -> None:
    reader, clock = SignalReader([]), SystemClock()
    database.write(lambda c: adopt(c, Rules(policy=live, reader=reader), clock.now_ms()))
    tools = Tools(rules=Rules(policy=tried, reader=reader))
    refresher = Refresher(Catalog(database), clock, NoModel(), tools)
    rescan = Rescan(database, clock, tools, refresher)
    progress = rescan.begin()
    while progress.state == "running":
        progress = await rescan.step() or progress


if __name__ == "__main__":
    main()
