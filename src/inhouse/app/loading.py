"""How a process that serves comes to hold a community's state, and nothing beside it.

What was compiled, read and copied on the way would stay with the process for as long as it runs:
the compiler 215 MB, pages of the database as much again, the holes of what was freed.
"""

from inhouse.app.build import Services
from inhouse.app.compiling import compile_apart
from inhouse.core.allocator import return_freed_memory


def load_feeds(services: Services) -> None:
    """Load state and model. Twice is once. Raises StoreError."""
    compile_apart()
    if services.feeds.start():
        services.database.let_go()
        return_freed_memory()
