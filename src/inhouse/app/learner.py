"""The learner's process: learning, and the checkpoint of the state for whoever starts next."""

import time
from typing import Final

from inhouse.app.build import Services, open_services
from inhouse.app.loops import run_loop
from inhouse.app.settings import load_settings
from inhouse.core.logs import configure_logs, logger
from inhouse.features import checkpoint
from inhouse.learning.learner import Learner

_EVERY_EVENTS: Final = 20_000
_EVERY_S: Final = 600.0


class LearnerProcess:
    """Steps of learning; in between the state is kept on disk."""

    def __init__(self, services: Services) -> None:
        self._path = services.checkpoint_path
        self._learner = Learner(
            services.logs, services.snapshots, services.clock, services.settings.learning
        )
        self._kept_offset = 0
        self._kept_s = time.monotonic()
        self._log = logger("learner")

    def step(self) -> bool:
        """Learn from what is new; returns whether there is more to do at once."""
        report = self._learner.step()
        new = self._learner.state.log_offset - self._kept_offset
        if new >= _EVERY_EVENTS or (new and time.monotonic() - self._kept_s >= _EVERY_S):
            self._keep()
        return report.was_busy

    def close(self) -> None:
        """Keep what was read since the last checkpoint."""
        if self._learner.state.log_offset > self._kept_offset:
            self._keep()

    def _keep(self) -> None:
        state = self._learner.state
        checkpoint.save(state, self._path)
        self._kept_offset, self._kept_s = state.log_offset, time.monotonic()
        self._log.info("state_kept", log_offset=state.log_offset)


def main() -> None:
    """The role `learner`: learn from the log and publish snapshots until told to stop."""
    settings = load_settings()
    configure_logs(role="learner", level=settings.app.log_level)
    with open_services(settings) as services:
        process = LearnerProcess(services)
        try:
            run_loop("learner", process.step, settings.app.learn_every_s)
        finally:
            process.close()


if __name__ == "__main__":
    main()
