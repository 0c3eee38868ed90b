"""Arranging: creators apart, variety, chance and newcomers."""

from inhouse.recommend.arrange.arrange import arrange, as_ranked
from inhouse.recommend.arrange.base import Arranged, Placed

__all__ = ["Arranged", "Placed", "arrange", "as_ranked"]
