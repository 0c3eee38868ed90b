"""From rented to owned on labelled texts, with the real machinery in simulated time.

    python -m benchmarks.owning --labelled ../shared/data/moderation/labelled.parquet
    python -m benchmarks.owning --labelled … --quick        # fewer texts

Texts come one batch after another and are judged through the gateway. The rented model is simulated
from the labels (`benchmarks.simulated_teacher`): right about 95 texts of 100, its errors by lot in
the first run and by the words in the second; it is priced by the list as gpt-4o-mini. Its answers
become labels; a model is trained on them; people (the labels) are asked about what both differ on,
at most 500; parity at a signed margin; shadow, 1, 5, 25, 50, 100%, a look after every batch. What
is counted afterwards: calls of the rented model per text judged, and what 1,000 texts cost by the
ledger, against the time before.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import polars as pl

from benchmarks.common import Report, arguments, console
from benchmarks.simulated_teacher import ERRORS, Errors, SimulatedTeacher, Truth
from inhouse.core.clock import FollowingClock
from inhouse.core.random import stream
from inhouse.models.asking.fleet import Fleet
from inhouse.models.asking.gateway import Gateway
from inhouse.models.cascade.bands import Certified, Goal
from inhouse.models.cascade.learning import Learned, learn_cascade, use_cascade
from inhouse.models.cutover.routes import Routes
from inhouse.models.harvest.labels import Labels
from inhouse.models.ledger.rows import Ledger
from inhouse.models.owned.registry import Registry
from inhouse.models.parity.agreement import ANY
from inhouse.models.parity.gate import Parity
from inhouse.models.parity.margins import Margin, Margins
from inhouse.models.parity.report import NoFacts
from inhouse.models.settings import ModelSettings
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.training.judging import Judge
from inhouse.models.training.train import train_task
from inhouse.models.types import INHOUSE, Answer, Attempt, Label, TaskInput
from inhouse.stats.types import NotEnough
from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.migrate import migrate

MOST_PEOPLE: Final = 500  # labels of people
MARGIN: Final = 0.08  # how much less often right an operator would accept
_FLAG_AT: Final = 0.5
_GROWTH: Final = 1.6  # labels before a further training, in parts of those before
_GOALS: Final = (0.95, 0.93, 0.9, 0.87, 0.84, 0.8, 0.75, 0.7)
_MOST_AGAIN: Final = 0.02  # of texts, for the cascade; watch and holdout take 2.5%
_BATCH: Final = 50
_START_MS: Final = 1_767_225_600_000
_TEXT_MS: Final = 20_000  # simulated time from one text to the next
_SOURCES: Final = ("davidson", "sms_spam")
_INSULTS: Final = ("hate", "offensive")
_INSULTS_KEPT: Final = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class _Texts:
    """The stream, and the truth."""

    texts: list[str]
    truth: dict[str, Truth]


@dataclass(kw_only=True)
class _World:
    """A community's models."""

    database: Database
    clock: FollowingClock
    settings: ModelSettings
    registry: Registry
    fleet: Fleet
    routes: Routes
    gateway: Gateway
    given: _Texts
    people: int = 0  # labels of people so far
    shown: Parity | None = None  # the latest report
    promised: str = "none"  # precision and recall of the cascade


def read(path: Path, most: int) -> _Texts:
    """Two public sets, in an order drawn by lot: insults (Davidson), of which half are left out so
    that about as much is harmless as harmful, and spam (SMS). What is in the one set counts as
    harmless in the other's sense."""
    table = pl.read_parquet(path).filter(pl.col("source").is_in(_SOURCES))
    table = table.unique("text", keep="first", maintain_order=True)
    kept = pl.Series(stream(2, "owning").random(len(table)) < _INSULTS_KEPT)
    table = table.filter(~pl.col("label").is_in(_INSULTS) | kept)
    order = stream(3, "owning").permutation(len(table))[:most]
    table = table[order]
    truth = {
        text: Truth(
            scores={
                "harassment": float(label in _INSULTS),
                "spam": float(label == "spam"),
            },
            confused="spam" if source == "sms_spam" else "harassment",
        )
        for text, label, source in table.select("text", "label", "source").iter_rows()
    }
    return _Texts(texts=table["text"].to_list(), truth=truth)


async def own(given: _Texts, errors: Errors, folder: Path, train_at: int) -> dict[str, Any]:
    """The whole way; what it took and what it brought. train_at: labels before the first training;
    where that does not show parity there is another when there are so many more."""
    started, next_at = time.monotonic(), train_at
    world = _world(given, errors, folder)
    judged: list[Answer] = []
    trained_from: _Mark | None = None
    owned_from: _Mark | None = None
    stage = "rented"
    for batch in _batches(given.texts):
        world.clock.advance(world.clock.now_ms() + _TEXT_MS * len(batch))
        judged += await world.gateway.ask(TEXT_HARM, batch)
        await world.gateway.drain()
        if stage == "rented" and len(judged) >= next_at:
            trained_from, next_at = _mark(world, judged), round(len(judged) * _GROWTH)
            await asyncio.to_thread(_learn, world)
        now = await asyncio.to_thread(_look, world)
        if now != stage:
            console.print(f"  {errors}: {len(judged):,} texts, {stage} to {now}")
            # Serving processes follow within two seconds; here hours pass in one.
            await world.gateway.close()
            world.gateway = _gateway(world)
        if now == "owned" and owned_from is None:
            owned_from = _mark(world, judged)
            await asyncio.to_thread(_cascade, world)
        stage = now
    await world.gateway.close()
    figures = _figures(world, judged, (trained_from, owned_from))
    world.database.close()
    return {"stage": stage, **figures, "seconds": time.monotonic() - started}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Mark:
    """A moment on the way."""

    judged: int  # texts until then
    ledger: int  # offset of the last row


def _mark(world: _World, judged: Sequence[Answer]) -> _Mark:
    return _Mark(judged=len(judged), ledger=Ledger(world.database).latest(1)[0][0])


def _world(given: _Texts, errors: Errors, folder: Path) -> _World:
    database = open_database(StoreSettings(folder=str(folder)))
    migrate(database)
    clock = FollowingClock(_START_MS)
    settings = ModelSettings(watch_share=0.015, holdout_share=0.01)
    registry = Registry(database, folder / "models")
    fleet = Fleet([SimulatedTeacher(given.truth, errors)], registry)
    Margins(database).sign(
        Margin(task=TEXT_HARM.name, margin=MARGIN, signed_by="benchmark", at_ms=_START_MS)
    )
    return _World(
        database=database,
        clock=clock,
        settings=settings,
        registry=registry,
        fleet=fleet,
        routes=Routes(database, fleet.vendors),
        gateway=Gateway(database, clock, fleet, settings),
        given=given,
    )


def _gateway(world: _World) -> Gateway:
    return Gateway(world.database, world.clock, world.fleet, world.settings)


def _batches(texts: Sequence[str]) -> Iterator[list[TaskInput]]:
    for start in range(0, len(texts), _BATCH):
        yield [
            TaskInput(ref=f"p{start + place}", text=text)
            for place, text in enumerate(texts[start : start + _BATCH])
        ]


def _learn(world: _World) -> None:
    """Train, and have people settle the differences."""
    trained = train_task(
        world.database, TEXT_HARM, world.registry.folder, world.clock, world.settings
    )
    if isinstance(trained, NotEnough):
        raise SystemExit(f"nothing to train on: {trained.reason}")
    judge = Judge(world.database, world.registry, world.settings)
    asked = judge.differences(TEXT_HARM)[: MOST_PEOPLE - world.people]
    world.people += Labels(world.database).add([_person(case.ref, world) for case in asked])
    report = judge.report(TEXT_HARM, NoFacts(), world.clock.now_ms())
    judge.put(report)
    world.shown = report.overall
    told = f"{report.overall.verdict}: {report.overall.reason}; {world.people} labels by people"
    console.print(f"  {told}", markup=False, soft_wrap=True)


def _cascade(world: _World) -> None:
    """Ask the rented model again about what the owned one is unsure of: the highest goal that takes
    no more than the share of texts that is left for it."""
    for least in _GOALS:
        goal = Goal(precision=least, recall=least, sure=0.9)
        learned = learn_cascade(world.database, world.registry, TEXT_HARM, goal, world.settings)
        if not isinstance(learned, Learned) or learned.cascade is None:
            continue
        found = [one for one in learned.found.values() if isinstance(one, Certified)]
        share = sum(one.escalated for one in found)
        if share <= _MOST_AGAIN:
            now_ms = world.clock.now_ms()
            use_cascade(world.routes, TEXT_HARM.name, learned.cascade, "person:benchmark", now_ms)
            world.promised = f"{least:g} and {least:g}, asked again: {share:.1%} expected"
            return


def _person(ref: str, world: _World) -> Label:
    text = world.given.texts[int(ref[1:])]
    return Label(
        task=TEXT_HARM.name,
        ref=ref,
        text=text,
        scores=world.given.truth[text].scores,
        source="person:benchmark",
        terms="",
        at_ms=world.clock.now_ms(),
    )


def _look(world: _World) -> str:
    now_ms = world.clock.now_ms()
    return world.routes.step(TEXT_HARM.name, world.registry, world.settings, now_ms).route.stage


def _figures(
    world: _World, judged: Sequence[Answer], marks: tuple[_Mark | None, _Mark | None]
) -> dict[str, Any]:
    labels = sum(Labels(world.database).counts(TEXT_HARM.name).values())
    told: dict[str, Any] = {
        "labels": labels - world.people,
        "by people": world.people,
        **_people_say(world.shown),
    }
    trained, owned = marks
    if trained is None or owned is None:
        return told
    rows = Ledger(world.database).read(limit=1_000_000)
    before = _per_1k([one for at, one in rows if at <= trained.ledger], trained.judged)
    texts = len(judged) - owned.judged
    later = [one for at, one in rows if at > owned.ledger]
    after = _per_1k(later, texts)
    calls = sum(one.inputs for one in later if one.host != INHOUSE)
    return told | {
        "texts until owned": owned.judged,
        "texts after": texts,
        "cascade": world.promised,
        "rented calls after": f"{calls / texts:.2%}",
        "cost before": f"${before:.4f}",
        "cost after": f"${after:.4f}",
        "cost cut": f"{1 - after / before:.1%}",
        "right before": _right(judged[: trained.judged], world.given),
        "right after": _right(judged[owned.judged :], world.given),
    }


def _people_say(report: Parity | None) -> dict[str, str]:
    """How much more often the owned model is right than the rented one, by people's word."""
    if report is None:
        return {}
    found = [
        one
        for one in report.findings
        if one.category == ANY and one.reference == "people_and_teacher"
    ]
    return {
        f"right about {side}, owned less rented": f"{one.estimate:+.3f} "
        f"({one.low:+.3f} to {one.high:+.3f})"
        for side, one in zip(("the harmful", "the harmless"), found, strict=False)
    } | {"parity": report.verdict}


def _per_1k(rows: Sequence[Attempt], texts: int) -> Decimal:
    return 1_000 * sum((one.cost_usd or Decimal(0) for one in rows), Decimal(0)) / texts


def _right(judged: Sequence[Answer], given: _Texts) -> str:
    """Of what is harmful and what is harmless, how much is told as such."""
    sides: dict[bool, list[bool]] = {True: [], False: []}
    for answer in judged:
        harmful = max(given.truth[given.texts[int(answer.ref[1:])]].scores.values()) >= _FLAG_AT
        sides[harmful].append((max(answer.scores.values()) >= _FLAG_AT) == harmful)
    return " / ".join(f"{sum(side) / len(side):.3f}" for side in (sides[True], sides[False]))


def main() -> None:
    """Both runs."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--labelled", type=Path, required=True, help="the public sets")

    options = arguments((__doc__ or "").splitlines()[0], extra)
    if not options.labelled.exists():
        raise SystemExit(f"{options.labelled} is not there")
    given = read(options.labelled, 12_000 if options.quick else 19_000)
    found = {}
    for errors in ERRORS:
        with tempfile.TemporaryDirectory() as folder:
            train_at = 2_800 if options.quick else 8_000
            found[errors] = asyncio.run(own(given, errors, Path(folder), train_at))
    report = Report("owning", ("what", *ERRORS))
    for what in dict.fromkeys(name for run in found.values() for name in run):
        report.add(what=what, **{errors: run.get(what) for errors, run in found.items()})
    report.finish(options)


if __name__ == "__main__":
    main()
