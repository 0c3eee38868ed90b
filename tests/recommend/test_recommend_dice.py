"""Randomness that is made quickly."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inhouse.core.random import stream
from inhouse.recommend.dice import dice_of


@given(
    st.one_of(st.integers(0, 3), st.integers(0, 2**32 - 1), st.integers(2**32, 2**70)), st.text()
)
@settings(deadline=None)  # the first call compiles
def test_dice_are_the_stream_of_that_seed_and_purpose(seed: int, purpose: str) -> None:
    """Number by number, seeds that are longer than a word included."""
    quick, plain = dice_of(seed, purpose), stream(seed, purpose)
    assert quick.integers(0, 2**63, 5).tolist() == plain.integers(0, 2**63, 5).tolist()
    assert np.array_equal(quick.beta(2.0, 3.0, 4), plain.beta(2.0, 3.0, 4))
