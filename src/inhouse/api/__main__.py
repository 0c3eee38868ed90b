"""python -m inhouse.api: the role `api`; with --standby, the one that waits to take its place."""

import sys

from inhouse.api.serve import run_api, stand_by
from inhouse.app.roles.supervisor import STANDBY
from inhouse.app.settings import load_settings
from inhouse.core.logs import configure_logs

if __name__ == "__main__":
    settings = load_settings()
    configure_logs(role="api", level=settings.app.log_level)
    if sys.argv[1:] == [STANDBY]:
        stand_by(settings)
    else:
        run_api(settings)
