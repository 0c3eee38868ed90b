"""The role `console` as a process."""

from inhouse.app.communities import chosen_settings
from inhouse.console.serve import run_console
from inhouse.core.logs import configure_logs

if __name__ == "__main__":
    loaded = chosen_settings()
    configure_logs(role="console", level=loaded.app.log_level)
    run_console(loaded)
