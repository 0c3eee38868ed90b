"""Rehearsals of a vendor's absence: cut off, watched, graded, kept."""

from inhouse.models.drill.book import last_drills as last_drills
from inhouse.models.drill.book import readiness as readiness
