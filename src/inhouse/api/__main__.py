"""python -m inhouse.api: the role `api`."""

from inhouse.api.serve import run_api
from inhouse.app.settings import load_settings
from inhouse.core.logs import configure_logs

if __name__ == "__main__":
    settings = load_settings()
    configure_logs(role="api", level=settings.app.log_level)
    run_api(settings)
