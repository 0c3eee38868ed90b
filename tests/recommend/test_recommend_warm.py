"""Nothing is compiled while somebody waits."""

from numba.core.dispatcher import Dispatcher
from recommend_worlds import ME, checkerboard, query

from inhouse.features import candidate_kernels
from inhouse.recommend import because, best, dice, posterior, worth
from inhouse.recommend.arrange import kernels
from inhouse.recommend.sources import merge, similar
from inhouse.recommend.surfaces import SURFACES
from inhouse.recommend.warm import warm_up

MODULES = (because, best, candidate_kernels, dice, kernels, merge, posterior, similar, worth)


def _compiled() -> dict[str, int]:
    """For each compiled function how many kinds of arguments it was compiled for."""
    return {
        f"{module.__name__}.{name}": len(part.signatures)
        for module in MODULES
        for name, part in vars(module).items()
        if isinstance(part, Dispatcher)
    }


def test_after_warming_up_a_feed_compiles_nothing() -> None:
    """Of every surface, for somebody known and for a stranger."""
    warm_up()
    before = _compiled()
    assert before[f"{kernels.__name__}.fill"] == 1
    world = checkerboard(items=1_000)
    world.event("follow", user="p1", target="creator:c1")
    for user in ("p1", ME):
        for surface in SURFACES:
            item_id = "i1" if surface == "similar" else None
            world.show(world.feed().serve(query(user_id=user, surface=surface, item_id=item_id)))
    assert _compiled() == before
