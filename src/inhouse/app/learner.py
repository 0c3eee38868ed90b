"""The learner's process."""

from inhouse.app.build import open_services
from inhouse.app.loops import run_loop
from inhouse.app.settings import load_settings
from inhouse.core.logs import configure_logs
from inhouse.learning.learner import Learner


def main() -> None:
    """The role `learner`: learn from the log and publish snapshots until told to stop."""
    settings = load_settings()
    configure_logs(role="learner", level=settings.app.log_level)
    with open_services(settings) as services:
        learner = Learner(
            services.logs, services.snapshots, services.clock, services.settings.learning
        )
        run_loop("learner", lambda: learner.step().was_busy, settings.app.learn_every_s)


if __name__ == "__main__":
    main()
