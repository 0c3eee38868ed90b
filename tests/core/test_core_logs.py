"""What is told, and how often."""

from inhouse.core.logs import Seldom


def test_what_fails_many_times_a_second_is_told_every_ten_seconds() -> None:
    """At once the first time; a thousand failures in a minute are seven lines."""
    now_s = 0.0
    seldom = Seldom(lambda: now_s)
    told = []
    for tick in range(1_000):
        now_s = tick * 0.0625
        if seldom.is_due():
            told.append(now_s)
    assert told == [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
