"""Work behind what others wait for."""

import os
import sys
import threading

import pytest

from inhouse.core.behind import behind


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere threads have no priority of their own"
)
def test_it_is_done_at_the_least_of_priorities() -> None:
    """On a thread of its own; the others keep theirs."""
    mine, found = os.getpriority(os.PRIO_PROCESS, 0), []

    def work() -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    thread = behind(work, "something")
    thread.join()
    assert found == [19]
    assert thread.name == "something"
    assert thread.daemon  # a process that ends does not wait for it
    assert os.getpriority(os.PRIO_PROCESS, 0) == mine
