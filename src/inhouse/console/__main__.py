"""The role `console` as a process."""

from inhouse.app.settings import load_settings
from inhouse.console.serve import run_console
from inhouse.core.logs import configure_logs

if __name__ == "__main__":
    loaded = load_settings()
    configure_logs(role="console", level=loaded.app.log_level)
    run_console(loaded)
