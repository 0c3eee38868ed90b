"""How a process that serves comes to hold a community's state, and nothing beside it.

What was read and copied on the way would stay with the process for as long as it runs: pages of the
database, up to 268 MB, and the holes of what was freed.
"""

from inhouse.app.build import Services
from inhouse.core.allocator import return_freed_memory


def load_feeds(services: Services) -> None:
    """Load state and model. Twice is once. Raises StoreError."""
    if services.feeds.start():
        services.database.let_go()
        return_freed_memory()
