"""The learner's process: learning, and the checkpoint that it goes on from."""

import time
from typing import Final

from inhouse.app.build import Services
from inhouse.app.hub import Hub
from inhouse.app.roles.loops import run_loop
from inhouse.app.roles.rounds import Rounds
from inhouse.app.settings import load_settings
from inhouse.core.logs import configure_logs, logger
from inhouse.learning.training.learner import Learner

CHECKPOINT: Final = "learner.bin"  # in the data folder
_KEPT_EVERY_S: Final = 60.0


class LearnerProcess:
    """Steps of learning for one community; once a minute what was learned is kept on disk."""

    def __init__(self, services: Services) -> None:
        self._learner = Learner(
            services.logs,
            services.snapshots,
            services.clock,
            services.settings.learning,
            services.settings.folder / CHECKPOINT,
        )
        self._kept_offset = 0
        self._kept_s = time.monotonic()
        self._log = logger("learner")

    def step(self) -> bool:
        """Learn from what is new; returns whether there is more to do at once."""
        report = self._learner.step()
        if time.monotonic() - self._kept_s >= _KEPT_EVERY_S:
            self.keep()
        return report.was_busy

    def close(self) -> None:
        """Keep what was learned."""
        self.keep()

    def keep(self) -> None:
        """Write the checkpoint, where anything was read since the last one."""
        offset = self._learner.state.log_offset
        if offset > self._kept_offset:
            self._learner.keep()
            self._kept_offset = offset
            self._log.info("learner_kept", log_offset=offset)
        self._kept_s = time.monotonic()


def main() -> None:
    """The role `learner`: learn from each community's log and publish until told to stop."""
    settings = load_settings()
    configure_logs(role="learner", level=settings.app.log_level)
    rounds = Rounds("learner", Hub(Services(settings)), LearnerProcess)
    try:
        run_loop("learner", rounds.step, settings.app.learn_every_s)
    finally:
        rounds.close()


if __name__ == "__main__":
    main()
