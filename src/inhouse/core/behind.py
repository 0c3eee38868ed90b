"""Work that nobody waits for, behind what others wait for."""

import os
import sys
import threading
from collections.abc import Callable
from typing import Final

_LAST: Final = 19  # the least of priorities


def behind(work: Callable[[], object], name: str) -> threading.Thread:
    """Do it on a thread of the least priority, where the system has one for threads.

    At the process's own priority a second of work makes requests wait for two. It should let go of
    the interpreter while it takes long: whoever holds that is waited for, however low it stands.
    """
    thread = threading.Thread(target=_last, args=(work,), name=name, daemon=True)
    thread.start()
    return thread


def _last(work: Callable[[], object]) -> None:
    if sys.platform == "linux":  # elsewhere a priority is the whole process's
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LAST)
    work()
