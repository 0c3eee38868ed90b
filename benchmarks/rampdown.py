"""An owned model that goes bad while it answers: how soon nobody is answered by it any more.

    python -m benchmarks.rampdown            # every fault at 1%, flipped answers at 25 and 100% too
    python -m benchmarks.rampdown --quick    # flipped answers at 1%

Two serving processes judge made-up posts through the gateway, at most so many a second, and a
process watches as the worker does, all on one database. The model passed parity; from a moment on
its answers are flipped, it finds nothing, takes too long, or breaks. What is counted: seconds from
that moment to the rollback and to the last answer of the bad model, and the share of all decisions
that it gave until every serving process had to know.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, get_args

from benchmarks.common import Report, arguments, program, wait_until
from benchmarks.judging import texts as made_up
from benchmarks.simulated_teacher import SimulatedTeacher, Truth
from inhouse.app.build import Services
from inhouse.app.owning.watching import RouteWatcher
from inhouse.app.settings import load_settings
from inhouse.core.clock import SystemClock
from inhouse.models.asking.fleet import Fleet
from inhouse.models.asking.gateway import Gateway, ask_now
from inhouse.models.cutover.routes import RouteChange
from inhouse.models.cutover.stages import CUTOVER, measuring_of, with_stage
from inhouse.models.owned.registry import Registry
from inhouse.models.owned.text import TextClassifier
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.training.train import train_task
from inhouse.models.types import INHOUSE, Scores, Stage, TaskInput
from inhouse.stats.types import NotEnough

Fault = Literal["flipped", "silent", "slow", "broken"]
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)
_LABELS: Final = 1_900  # the linear part alone is trained
_BATCH: Final = 10
_PAUSE_S: Final = 0.1  # between batches of a serving process
_SLOW_S: Final = 1.2
_FINE_S: Final = 6.0  # before the model goes bad
_LONGEST_S: Final = 90.0
_SERVING: Final = 2
_FOLLOWED_S: Final = 2.0  # within which serving processes hear of a new route
_COLUMNS: Final = (
    "fault", "stage", "rolled back after s", "last answer after s", "decisions",
    "by the bad model", "affected", "reason",
)  # fmt: skip


class Gone(TextClassifier):
    """A model as it was, until a file appears."""

    fault: Fault
    since: Path

    def scores(self, texts: Sequence[str]) -> list[Scores]:
        told = super().scores(texts)
        if not self.since.exists():
            return told
        if self.fault == "slow":
            time.sleep(_SLOW_S)
            return told
        if self.fault == "broken":
            raise ValueError("no weights")
        return [
            {name: 1 - p if self.fault == "flipped" else 0.0 for name, p in one.items()}
            for one in told
        ]


class FaultyRegistry(Registry):
    """Loads models that go bad."""

    fault: Fault

    def load(self, version: str) -> TextClassifier:
        model = super().load(version)
        gone = Gone.__new__(Gone)
        gone.__dict__.update(model.__dict__)
        gone.fault, gone.since = self.fault, self.folder.parent / "bad"
        return gone


def truth_of(posts: Sequence[str]) -> dict[str, Truth]:
    """What is so of the made-up posts: a word speaks for its category."""
    found = {}
    for post in posts:
        scores: Scores = {name: float(f"{name}istani" in post) for name in TEXT_HARM.categories}
        found[post] = Truth(scores=scores, confused="spam")
    return found


def serve(folder: Path, seed: int, fault: Fault) -> None:
    """A serving process: judge until told to stop, and write down who answered when."""
    use = _services(folder)
    registry = FaultyRegistry(use.database, use.registry.folder)
    registry.fault = fault
    posts = made_up(4_000, seed)
    fleet = Fleet([SimulatedTeacher(truth_of(posts), "random")], registry)
    gateway = Gateway(use.database, SystemClock(), fleet, use.settings.models)

    async def judge() -> list[tuple[float, bool]]:
        answered: list[tuple[float, bool]] = []
        place = 0
        while not (folder / "stop").exists():
            some = [posts[(place + step) % len(posts)] for step in range(_BATCH)]
            given = [
                TaskInput(ref=f"{seed}-{place + step}", text=text) for step, text in enumerate(some)
            ]
            answers = await gateway.ask(TEXT_HARM, given)
            at_s = time.time()
            answered += [(at_s, answer.host == INHOUSE) for answer in answers]
            place += _BATCH
            (folder / f"ready-{seed}").touch()
            await asyncio.sleep(_PAUSE_S)
        await gateway.close()
        return answered

    write_whole(folder / f"served-{seed}.json", json.dumps(asyncio.run(judge())))
    use.close()


def write_whole(path: Path, text: str) -> None:
    """A file that is there whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(text, "utf-8")
    part.rename(path)


def _services(folder: Path) -> Services:
    given = {"INHOUSE_STORE_FOLDER": str(folder), "INHOUSE_MODELS_VENDORS": str(folder / "none")}
    return Services(load_settings(given, folder / "none.toml"))


def teach(folder: Path) -> None:
    """Labels of the rented model, a version trained on them, and its report."""
    use = _services(folder)
    posts = made_up(_LABELS, 1)
    fleet = Fleet([SimulatedTeacher(truth_of(posts), "random")], use.registry)
    use.fleet = fleet
    gateway = Gateway(use.database, SystemClock(), fleet, use.settings.models)
    given = [TaskInput(ref=f"l{n}", text=text) for n, text in enumerate(posts)]
    for start in range(0, len(given), 100):
        ask_now(gateway, TEXT_HARM, given[start : start + 100])
    models = use.settings.models
    trained = train_task(use.database, TEXT_HARM, use.registry.folder, use.clock, models)
    if isinstance(trained, NotEnough):
        raise SystemExit(trained.reason)
    use.close()


def run(taught: Path, fault: Fault, stage: Stage) -> dict[str, object]:
    """One fault at one stage, on a copy of a folder in which a model is trained."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        shutil.copytree(taught, folder)
        use = _services(folder)
        use.fleet = Fleet([SimulatedTeacher({}, "random")], use.registry)
        _routed(use, stage)
        watcher = RouteWatcher(use)
        watcher.start()
        with ExitStack() as stack:
            for seed in range(_SERVING):
                words = ["-m", "benchmarks.rampdown", "--serve", str(folder), str(seed), fault]
                stack.enter_context(program(words, {}))
            ready = [folder / f"ready-{seed}" for seed in range(_SERVING)]
            wait_until(lambda: all(map(Path.exists, ready)), _LONGEST_S, "the first answers")
            _go_bad(use, folder)
            (folder / "stop").touch()
            served = [folder / f"served-{seed}.json" for seed in range(_SERVING)]
            wait_until(lambda: all(map(Path.exists, served)), _LONGEST_S, "the end of serving")
            rows = sorted(row for path in served for row in json.loads(path.read_text("utf-8")))
        watcher.close()
        changes = use.routes.history(TEXT_HARM.name)
        bad_from = (folder / "bad").stat().st_mtime
        use.close()
    back = next((one for one in reversed(changes) if one.decided_by == CUTOVER), None)
    if back is None:
        return {"fault": fault, "stage": stage, "reason": "never rolled back"}
    until = back.at_ms / 1_000 + _FOLLOWED_S
    between = [own for at, own in rows if bad_from <= at <= until]
    last = max((at for at, own in rows if own and at >= bad_from), default=bad_from)
    return {
        "fault": fault,
        "stage": stage,
        "rolled back after s": back.at_ms / 1_000 - bad_from,
        "last answer after s": last - bad_from,
        "decisions": len(between),
        "by the bad model": sum(between),
        "affected": f"{sum(between) / max(1, len(between)):.2%}",
        "reason": back.reason,
    }


def _routed(use: Services, stage: Stage) -> None:
    """The version at that stage, where it stays unless something is wrong with it."""
    route = with_stage(use.routes.current(TEXT_HARM.name), stage, measuring_of(use.settings.models))
    version = use.registry.versions(TEXT_HARM.name)[0].version
    held = replace(route, owned=version, held_by="person:benchmark")
    now_ms = use.clock.now_ms()
    use.routes.set(RouteChange(route=held, at_ms=now_ms, decided_by="benchmark", reason="begin"))


def _go_bad(use: Services, folder: Path) -> None:
    """Let all be fine for a while, then not; until nobody is answered by it any more."""
    time.sleep(_FINE_S)
    (folder / "bad").touch()
    end = time.monotonic() + _LONGEST_S
    while use.routes.current(TEXT_HARM.name).owned_share and time.monotonic() < end:
        time.sleep(0.2)
    time.sleep(4.0)  # serving processes follow within two seconds


def main() -> None:
    """Every fault, one after the other."""
    if sys.argv[1:2] == ["--serve"]:
        _, _, folder, seed, fault = sys.argv
        serve(Path(folder), int(seed), next(one for one in FAULTS if one == fault))
        return

    def extra(_parser: argparse.ArgumentParser) -> None:
        """No options of its own."""

    options = arguments((__doc__ or "").splitlines()[0], extra)
    report = Report("rampdown", _COLUMNS)
    runs: list[tuple[Fault, Stage]] = [("flipped", "ramp1")]
    if not options.quick:
        runs += [(fault, "ramp1") for fault in FAULTS[1:]]
        runs += [("flipped", "ramp25"), ("flipped", "owned")]
    with tempfile.TemporaryDirectory() as name:
        taught = Path(name) / "data"
        teach(taught)
        for fault, stage in runs:
            report.add(**run(taught, fault, stage))
    report.finish(options)


if __name__ == "__main__":
    main()
