"""python -m inhouse.console: the role `console`."""

from inhouse.app.settings import load_settings
from inhouse.console.serve import run_console
from inhouse.core.logs import configure_logs

if __name__ == "__main__":
    settings = load_settings()
    configure_logs(role="console", level=settings.app.log_level)
    run_console(settings)
