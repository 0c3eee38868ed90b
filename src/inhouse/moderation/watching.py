"""Hearing of changed rules: the policy's file and the folder of term banks, without a restart.

Whoever runs for long looks now and then. Files that changed are read once they have come to rest,
all together; where one of them has a fault, the rules of before stay in force and the fault is told
until it is mended. So it is where somebody starts while they have a fault: the rules of before are
then those that were taken up last.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from inhouse.core.errors import InhouseError
from inhouse.core.logs import logger
from inhouse.moderation.settings import ModerationSettings
from inhouse.moderation.tools import Rules, bank_files, load_rules

LOOK_EVERY_S: Final = 1.0
# A change is read by the second look that finds the files the same, and taken up when it is read.
HEARD_WITHIN_S: Final = 5.0
_LOG = logger("rules")

# Of each file its path, time of change (of its rights, too) in nanoseconds, size in bytes and
# number on the disk.
Stamp = tuple[tuple[str, int, int, int], ...]


class RulesWatch:
    """The rules of one community's files. Safe to use from several threads: one looks, others go
    on."""

    def __init__(
        self,
        settings: ModerationSettings,
        read: Callable[[ModerationSettings], Rules] = load_rules,
        now_s: Callable[[], float] = time.monotonic,
        before: Callable[[], Rules | None] = lambda: None,
    ) -> None:
        """Reads them. before: the rules to begin with where the files have a fault, asked for only
        then. Raises SettingError with every fault where there are none."""
        self._settings = settings
        self._read = read
        self._now_s = now_s
        self._gate = threading.Lock()
        self._known = self._seen = stamp_of(settings)
        self._looked_s = now_s()
        self.trouble: str | None = None  # why the files as they are now cannot be used
        self.rules = self._begin(before)  # as they were last read without a fault

    def look(self) -> Rules | None:
        """Other rules, where the files have changed to good ones; else None. Looks at most once a
        second; reading two million new terms takes twenty."""
        if not self._gate.acquire(blocking=False):
            return None
        try:
            return self._look()
        finally:
            self._gate.release()

    def _begin(self, before: Callable[[], Rules | None]) -> Rules:
        try:
            return self._read(self._settings)
        except InhouseError as error:
            kept = before()
            if kept is None:
                raise
            self.trouble = str(error)
            _LOG.error("rules_of_before_kept", policy=kept.policy.version, reason=self.trouble)
            return kept

    def _look(self) -> Rules | None:
        if self._now_s() - self._looked_s < LOOK_EVERY_S:
            return None
        self._looked_s = self._now_s()
        before, self._seen = self._seen, stamp_of(self._settings)
        if self._seen == self._known or self._seen != before:
            return None  # nothing new, or somebody is still writing
        self._known = self._seen
        return self._read_again()

    def _read_again(self) -> Rules | None:
        try:
            fresh = self._read(self._settings)
        except InhouseError as error:
            self.trouble = str(error)
            _LOG.warning("rules_refused", policy=self.rules.policy.version, reason=self.trouble)
            return None
        if self.trouble is not None:
            self.trouble = None
            _LOG.info("rules_mended", policy=fresh.policy.version)
        was, self.rules = self.rules, fresh
        same = _versions(was) == _versions(fresh)
        return None if same else fresh


def stamp_of(settings: ModerationSettings) -> Stamp:
    """What tells the files of one moment from those of another; a file that is gone has none."""
    files = [Path(settings.policy)] if settings.policy else []
    if settings.banks:
        files += bank_files(Path(settings.banks))
    found = []
    for file in files:
        try:
            told = file.stat()
        except OSError:
            continue
        found.append((str(file), told.st_ctime_ns, told.st_size, told.st_ino))
    return tuple(found)


def _versions(rules: Rules) -> tuple[str, str]:
    return rules.policy.version, rules.reader.version
