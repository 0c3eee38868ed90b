"""What creators who are new would have of a page's places, if the places were dealt out fairly.

Feeds prefer recent posts, and new creators have no others: among posts of any age recency alone
would look like favour. So a place is dealt out among its peers: the posts that the rules let the
person see now and that came within three hours of the one on the place.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.clock import HOUR_MS
from inhouse.simulator.appeal import Mind
from inhouse.simulator.world import World

PEERS_MS: Final = 3 * HOUR_MS
Rows = NDArray[np.int32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """By place from top to bottom: the share of it that new creators have, 0 to 1."""

    got: Floats  # on the page as it was served
    by_merit: Floats  # dealt among the peers in proportion to the true chance to satisfy now
    best_peers: Floats  # given to the truly best peer after those above
    best_page: Floats  # on the truly best page, of posts of any age


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A page, who is about to look at it, and what else it might have held."""

    person: int
    rows: Rows  # [places] posts on it
    may: Rows  # [posts] what the rules let it hold, those included
    founders: int  # creators from this number on are new


def shares_of(world: World, page: Served, mind: Mind) -> Shares:
    """mind: what is behind the person before they look."""

    def new(posts: Rows) -> Floats:
        return np.asarray(world.posts.creator[posts] >= page.founders, dtype=np.float64)

    created_ms = world.posts.created_ms
    gaps_ms = np.abs(created_ms[page.rows][:, None] - created_ms[page.may][None, :])
    peers = gaps_ms <= PEERS_MS  # [places, posts]
    merit = peers * world.true_values(page.person, page.may, mind).astype(np.float64)
    return Shares(
        got=new(page.rows),
        by_merit=(merit @ new(page.may)) / merit.sum(axis=1),
        best_peers=new(_best_peers(world, page, mind, peers)),
        best_page=new(world.best_feed(page.person, len(page.rows), mind, page.may)),
    )


def _best_peers(world: World, page: Served, mind: Mind, peers: NDArray[np.bool_]) -> Rows:
    """[places] greedily, as tired as the posts above make the person; the post on the place
    itself where all its peers stand above."""
    topics, creators = world.posts.topic[page.may], world.posts.creator[page.may]
    chances = world.true_values(page.person, page.may).astype(np.float64)
    logits = np.log(chances) - np.log1p(-chances)
    fatigue = mind.fatigue.copy()
    best = page.rows.copy()
    for place, theirs in enumerate(peers):
        found = int(np.argmax(np.where(theirs, logits - fatigue.costs(topics, creators), -np.inf)))
        if theirs[found] and np.isfinite(logits[found]):
            best[place] = page.may[found]
            logits[found] = -np.inf
        fatigue.looked(int(world.posts.topic[best[place]]), int(world.posts.creator[best[place]]))
    return best
