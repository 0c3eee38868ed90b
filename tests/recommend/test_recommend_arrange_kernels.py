"""The compiled arranging against its plain definition."""

import numpy as np
import pytest
from arrange_plainly import fill_plainly

from inhouse.features.machine import plain
from inhouse.recommend.arrange.kernels import (
    Creators,
    Filled,
    Gifts,
    Merit,
    Newcomers,
    fill,
    handed,
    numbered,
)
from inhouse.recommend.types import Rows


def _creators(dice: np.random.Generator, n: int) -> Creators:
    codes = dice.integers(-1, int(dice.integers(1, 9)), n).astype(np.int32)
    served = dice.integers(-1, 12, int(dice.integers(0, 9))).astype(np.int32)
    who, remaining, crowd, previous = numbered(codes, served)
    return Creators(who, remaining, crowd, previous, cap=int(dice.integers(1, 5)))


def _gifts(dice: np.random.Generator, items: Rows, length: int) -> Gifts:
    n = len(items)
    pins = int(dice.integers(0, min(n, 3) + 1))
    pool = np.sort(dice.permutation(n)[: int(dice.integers(0, n + 1))])
    by_chance = dice.random(length) < 0.3
    return Gifts(
        pin_places=np.sort(dice.integers(0, length, pins)),
        pin_rows=dice.permutation(n)[:pins],
        pool=pool,
        draws=np.round(dice.random((8, len(pool))), 1),  # with equals
        by_chance=by_chance,
        uniforms=dice.random(int(by_chance.sum())),
        newcomers=Newcomers(
            unknown=dice.random(n) < 0.5,
            place=int(dice.integers(-1, length)),
            items=items,
            shown=dice.integers(0, 4, (60, 2)).astype(np.float64)[:, 0],  # a column of a table
            items_there=50,
        ),
    )


@pytest.mark.parametrize("seed", range(300))
def test_a_page_is_filled_as_the_plain_definition_fills_it(seed: int) -> None:
    """Same rows, ways, propensities and reasons, whatever the candidates, with many equals."""
    dice = np.random.default_rng(seed)
    n = int(dice.integers(1, 40))
    length = int(dice.integers(1, n + 1))
    creators = _creators(dice, n)
    content = np.round(dice.normal(size=(50, 8)) * 2) / 8  # exact, in whatever order it is summed
    merit = Merit(
        worth=-np.sort(-np.round(dice.random(n), 1)),
        diversity=float(dice.choice([0.0, 0.25, 1.0])),
        items=dice.permutation(50)[:n].astype(np.int32),
        content=content.astype(np.float32),
    )
    gifts = _gifts(dice, merit.items, length)
    places, held, left = fill_plainly(length, creators, merit, gifts)
    filled = Filled(*fill(length, plain(creators), plain(merit), handed(gifts)))
    columns = (filled.rows, filled.how, filled.told, filled.propensities)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == places
    assert filled.held.tolist() == held.tolist()
    assert filled.left.tolist() == left.tolist()


@pytest.mark.parametrize("seed", range(30))
def test_creators_are_numbered_and_counted(seed: int) -> None:
    """Equal codes get equal numbers; the crowd is how often each of them was served."""
    dice = np.random.default_rng(seed)
    codes = dice.integers(-1, 60_000, 100).astype(np.int32)[dice.integers(0, 100, 150)]
    served = np.concatenate([codes[dice.integers(0, 150, 30)], np.array([70_000], dtype=np.int32)])
    served = dice.permutation(served)
    who, remaining, crowd, previous = numbered(codes, served)
    code_of = dict(zip(who.tolist(), codes.tolist(), strict=True))
    assert len(code_of) == len(set(codes.tolist())) == len(remaining)
    assert [code_of[i] for i in who.tolist()] == codes.tolist()
    assert remaining.tolist() == np.bincount(who).tolist()
    assert crowd.tolist() == [int((served == code_of[i]).sum()) for i in range(len(crowd))]
    assert code_of.get(previous, 70_000) == int(served[-1])
