"""Arranging: creators apart, variety, chance and newcomers."""

from inhouse.recommend.arrange.arrange import arrange
from inhouse.recommend.arrange.base import Arranged, Placed

__all__ = ["Arranged", "Placed", "arrange"]
