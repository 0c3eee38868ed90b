"""The worker: verdicts for what is posted, and the way of each task from rented to owned, which a
thread of its own watches."""

import asyncio
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from inhouse.app.build import Services
from inhouse.app.heeding import Heeding
from inhouse.app.hub import Hub
from inhouse.app.owning import rejudging
from inhouse.app.owning.drills import look_after_drill
from inhouse.app.owning.training import train_here
from inhouse.app.owning.watching import RouteWatcher
from inhouse.app.people.erasure import Eraser
from inhouse.app.roles.loops import run_loop
from inhouse.app.roles.rounds import Rounds
from inhouse.app.settings import load_settings
from inhouse.core.clock import DAY_MS, SystemClock
from inhouse.core.logs import configure_logs, logger
from inhouse.events.pages import expire_pages
from inhouse.events.sessions import Sessions
from inhouse.models.harvest.calls import MEGABYTE
from inhouse.models.harvest.labels import Labels, expire_labels
from inhouse.models.harvest.pairs import expire_pairs, trim_pairs
from inhouse.models.owned.registry import ModelVersion
from inhouse.models.parity.report import ParityReport
from inhouse.models.tasks import judging
from inhouse.moderation.judging.teaching import forget_other_banks
from inhouse.moderation.recording.sealed import purge
from inhouse.moderation.statements.answers import forget_notifiers
from inhouse.moderation.statements.strikes import end_expired
from inhouse.stats.types import NotEnough

_MODELS_EVERY_S: Final = 5.0
_DRILLS_EVERY_S: Final = 2.0
_TIDY_EVERY_S: Final = 3_600.0
_PAGES_EVERY_S: Final = 1.0  # while more of them are old
_PAGES_AT_ONCE: Final = 2_000
# A model is trained anew when there are so many times the labels there were the last time.
_GROWTH: Final = 1.25


class Worker:
    """One community's duties, a step at a time; every step may be the last."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._runner = asyncio.Runner()
        self._looked_s = 0.0
        self._tidied_s = float("-inf")
        self._pages_due_s = 0.0
        self._drilled_s = float("-inf")
        self._eraser = Eraser(services)
        self._heeding = Heeding(services)
        self._has_adopted = False
        self._sessions = Sessions(services.database)
        self._log = logger("worker")
        self._trainer = ThreadPoolExecutor(1, thread_name_prefix="training")
        self._training: Future[ModelVersion | NotEnough | ParityReport] | None = None
        self._tried: dict[str, int] = {}  # labels of a task when it was last trained
        self._watcher = RouteWatcher(services)
        self._watcher.start()

    def step(self) -> bool:
        """Scan what is new, now and then look after the models; returns whether anything waited."""
        self._watcher.check()
        if self._heeding.step():
            self._has_adopted = False
        scanned = self._scan()
        rescanned = self._rescan()
        read = self._services.media.step()
        self._eraser.go_on()
        if time.monotonic() - self._drilled_s >= _DRILLS_EVERY_S:
            self._runner.run(look_after_drill(self._services))
            self._drilled_s = time.monotonic()
        if time.monotonic() - self._looked_s >= _MODELS_EVERY_S:
            self._look_after_training()
            self._sessions.expire(SystemClock().now_ms())
            self._looked_s = time.monotonic()
        if time.monotonic() - self._tidied_s >= _TIDY_EVERY_S:
            self._tidy()
            self._tidied_s = time.monotonic()
        if time.monotonic() >= self._pages_due_s:
            is_done = self._forget_pages()
            self._pages_due_s = time.monotonic() + (_TIDY_EVERY_S if is_done else _PAGES_EVERY_S)
        return scanned or rescanned or read

    def close(self) -> None:
        """Finish calls that are out and close connections."""
        self._watcher.close()
        self._trainer.shutdown(wait=False, cancel_futures=True)
        self._heeding.close()
        self._runner.run(self._services.gateway.close())
        self._runner.close()

    def _scan(self) -> bool:
        self._services.catch_clock_up()
        report = self._runner.run(self._services.moderator.scan())
        if report.error is not None:
            self._log.warning("scan_waits", awaiting=report.awaiting, backlog=report.backlog)
            return False
        return report.read > 0

    def _rescan(self) -> bool:
        """A part of what another policy means for the past; returns whether there is more."""
        rescan = self._services.rescan
        if not self._has_adopted:
            teachers = self._services.rules.teachers
            self._services.database.write(lambda c: forget_other_banks(c, teachers))
            begun, self._has_adopted = rescan.adopt(), True
            if begun is not None:
                self._log.info("policy_adopted", policy=begun.policy_version, signals=begun.signals)
        progress = self._runner.run(rescan.step())
        return progress is not None and progress.state == "running"

    def _tidy(self) -> None:
        """Let go of what may not be kept any longer."""
        use = self._services
        forgotten = use.database.write(lambda c: forget_notifiers(c, use.clock.now_ms()))
        use.database.write(lambda c: end_expired(c, use.clock.now_ms()))
        purged = use.database.write(lambda c: purge(c, use.clock.now_ms()))
        self._forget_words()
        if purged:
            self._log.info("sealed_purged", items=purged)
        if forgotten:
            self._log.info("notifiers_forgotten", notices=forgotten)

    def _forget_words(self) -> None:
        """Texts that were kept to learn from, once their time is over: words of calls by the
        machine's clock, those of posts by the community's."""
        use, settings = self._services, self._services.settings.models
        until_ms = SystemClock().now_ms() - settings.pairs_days * DAY_MS
        pairs = use.database.write(lambda c: expire_pairs(c, until_ms))
        pairs += use.database.write(lambda c: trim_pairs(c, settings.pairs_mb * MEGABYTE))
        if pairs:
            self._log.info("pairs_forgotten", pairs=pairs)
        if settings.labels_days:
            before_ms = use.clock.now_ms() - settings.labels_days * DAY_MS
            labels = use.database.write(lambda c: expire_labels(c, before_ms))
            self._log.info("labels_forgotten", labels=labels)

    def _forget_pages(self) -> bool:
        """Some of what was served too long ago, so that nobody's write waits for all of it; whether
        none is left."""
        days = self._services.settings.app.pages_days
        if not days:
            return True
        before_ms = self._services.clock.now_ms() - days * DAY_MS
        gone = self._services.database.write(lambda c: expire_pages(c, before_ms, _PAGES_AT_ONCE))
        if gone:
            self._log.info("pages_forgotten", pages=gone)
        return gone < _PAGES_AT_ONCE

    def _look_after_training(self) -> None:
        """A training takes minutes and no post may wait for it: it runs beside the scans. So does
        judging a version again."""
        use = self._services
        if self._training is None:
            task = next((task for task in judging(use.tasks) if self._is_due(task.name)), None)
            if task is not None:
                self._tried[task.name] = self._labels(task.name)
                self._training = self._trainer.submit(train_here, use, task, use.settings.models)
            elif (task := rejudging.due(use)) is not None:
                self._training = self._trainer.submit(rejudging.judge_again, use, task)
            return
        if not self._training.done():
            return
        now, self._training = self._training.result(), None
        if isinstance(now, NotEnough):
            self._log.info("training_waits", reason=now.reason, have=now.have, need=now.need)
        elif isinstance(now, ModelVersion):
            self._log.info("model_trained", version=now.version)
        else:
            self._log.info("judged_again", version=now.version, verdict=now.overall.verdict)

    def _is_due(self, task: str) -> bool:
        """Whether there is enough to learn of a task, and enough of it is new."""
        use, labels = self._services, self._labels(task)
        least = use.settings.models.least_labels
        if labels < max(least, _GROWTH * self._tried.get(task, 0)):
            return False
        versions = use.registry.versions(task)
        if versions and versions[0].card.student != "words":
            return False  # people chose what it begins as, and train it
        return labels >= _GROWTH * (versions[0].card.labels if versions else 0)

    def _labels(self, task: str) -> int:
        return sum(Labels(self._services.database).counts(task).values())


def main() -> None:
    """The role `worker`: judge what is posted and look after the models until told to stop."""
    settings = load_settings()
    configure_logs(role="worker", level=settings.app.log_level)
    rounds = Rounds("worker", Hub(Services(settings)), Worker)
    try:
        run_loop("worker", rounds.step, settings.app.worker_pause_ms / 1_000)
    finally:
        rounds.close()


if __name__ == "__main__":
    main()
