"""The roles that nobody talks to: the learner and the worker."""

from inhouse.app.build import open_services
from inhouse.app.learner import LearnerProcess
from inhouse.app.loops import run_loop
from inhouse.app.settings import Settings
from inhouse.app.worker import Worker


def run_worker(settings: Settings) -> None:
    """Judge what is posted and look after the models until told to stop."""
    with open_services(settings) as services:
        worker = Worker(services)
        try:
            run_loop("worker", worker.step, settings.app.worker_pause_ms / 1_000)
        finally:
            worker.close()


def run_learner(settings: Settings) -> None:
    """Learn from the log and publish snapshots until told to stop."""
    with open_services(settings) as services:
        process = LearnerProcess(services)
        try:
            run_loop("learner", process.step, settings.app.learn_every_s)
        finally:
            process.close()
