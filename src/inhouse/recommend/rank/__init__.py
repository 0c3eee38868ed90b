"""Ranking: features, predictions, value."""

from inhouse.recommend.rank.rank import rank, unranked

__all__ = ["rank", "unranked"]
