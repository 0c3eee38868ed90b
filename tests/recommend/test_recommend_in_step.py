"""Work made in step: each as if it were alone."""

from collections.abc import Iterator

from inhouse.recommend.in_step import Staged, in_step


def _told(name: str, stages: int, told: list[str], *, fails: bool = False) -> Staged[str]:
    for stage in range(stages):
        told.append(f"{name}{stage}")
        yield
    if fails:
        raise LookupError(name)
    return name


def test_a_stage_is_done_for_all_before_the_next() -> None:
    """Whoever has fewer stages is done earlier; answers come in the order of the question."""
    told: list[str] = []
    assert in_step([_told("a", 3, told), _told("b", 1, told), _told("c", 2, told)]) == [
        "a",
        "b",
        "c",
    ]
    assert told == ["a0", "b0", "c0", "a1", "c1", "a2"]


def test_what_one_raises_is_its_own_answer() -> None:
    """The others go on."""
    told: list[str] = []
    first, second = in_step([_told("a", 1, told, fails=True), _told("b", 2, told)])
    assert isinstance(first, LookupError)
    assert (str(first), second) == ("a", "b")
    assert told == ["a0", "b0", "b1"]


def test_nobody_and_nothing() -> None:
    """No work gives no answers; work without a stage is done at once."""

    def nothing() -> Iterator[None]:
        yield from ()

    assert in_step([]) == []
    assert in_step([nothing()]) == [None]  # type: ignore[list-item]
