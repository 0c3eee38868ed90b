"""Ranking: features, predictions, value."""

from inhouse.recommend.rank.rank import rank

__all__ = ["rank"]
