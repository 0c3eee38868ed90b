"""Gathered moments are what the one feature path gives, person by person."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.ids import UserId
from inhouse.features.history import history_arrays
from inhouse.features.people import Action, Person
from inhouse.learning.encoding import encode_history
from inhouse.learning.examples.gathering import Gathering
from inhouse.learning.examples.types import join_next_items

LENGTH, NOW_MS = 6, 1_700_000_000_000
_ACTIONS = st.builds(
    Action,
    item=st.integers(0, 5),
    kind=st.integers(0, 18),
    at_ms=st.integers(NOW_MS - 10**10, NOW_MS + 1_000),
    value=st.floats(0, 10**7, allow_nan=False, width=32),
)


@given(st.lists(st.tuples(st.lists(_ACTIONS, max_size=12), st.integers(0, 5)), max_size=6))
def test_gathered_moments_equal_those_encoded_one_by_one(
    people: list[tuple[list[Action], int]],
) -> None:
    """Whatever the histories and the wanted items, every array is the same byte for byte."""
    gathered = Gathering(LENGTH)
    single = []
    for offset, (actions, item) in enumerate(people):
        person = Person(user_id=UserId("u"))
        for action in actions:
            person.recent.remember(action)
        gathered.add(person, item, NOW_MS, offset)
        alone = Gathering(LENGTH)
        alone.add(person, item, NOW_MS, offset)
        single.append(alone.examples())
        history = history_arrays(person, NOW_MS, LENGTH)
        expected = encode_history(history, LENGTH, leave_out=item)
        found = single[-1].histories
        for name in ("items", "kinds", "ages", "dwells"):
            assert getattr(found, name).tobytes() == getattr(expected, name).tobytes()

    whole, joined = gathered.examples(), join_next_items(single, LENGTH)

    for name, part in joined.arrays().items():
        assert whole.arrays()[name].tobytes() == part.tobytes()
    assert whole.offsets.tolist() == list(range(len(people)))
    assert np.array_equal(whole.targets, [item for _, item in people])
