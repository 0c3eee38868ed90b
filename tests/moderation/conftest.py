"""The community that moderation's tests share."""

import pytest
from moderation_worlds import Community, make_community

from inhouse.store.database import Database


@pytest.fixture
def community(database: Database) -> Community:
    """A community without items."""
    return make_community(database)


@pytest.fixture
def any_community(any_database: Database) -> Community:
    """The same, once on SQLite and once on PostgreSQL, for whoever writes queries."""
    return make_community(any_database)
