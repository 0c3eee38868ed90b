"""Every table, for both databases. Packages above write their own queries on these.

Log tables (`*_offset` primary keys) are only ever appended to. Times are milliseconds since 1970
UTC.
"""

from inhouse.store.tables.base import metadata as metadata
from inhouse.store.tables.community import *
from inhouse.store.tables.models import *
from inhouse.store.tables.moderation import *
