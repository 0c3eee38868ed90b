"""Structured logs: stable event names, JSON lines on standard error, nobody's words or ids."""

import logging
import math
import sys
import time
from collections.abc import Callable
from typing import Final

import structlog

_TELL_EVERY_S: Final = 10.0


def configure_logs(*, role: str, level: str = "info") -> None:
    """Called once by each process at its start."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=_standard_error,
        cache_logger_on_first_use=False,  # a role configures after its modules made loggers
    )
    structlog.contextvars.bind_contextvars(role=role)


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger that carries the part's name."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger(part=name)
    return bound


class Seldom:
    """When to tell of what may fail many times a second: at once, and then every ten seconds."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._next_s = -math.inf

    def is_due(self) -> bool:
        """Whether to tell of it; where it is, not again for a while."""
        now_s = self._now_s()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + _TELL_EVERY_S
        return True


def _standard_error(*_: object) -> structlog.PrintLogger:
    """Whatever standard error is when the line is written."""
    return structlog.PrintLogger(sys.stderr)
