"""The executor that the settings ask for."""

from inhouse.engine.local import LocalExecutor
from inhouse.engine.on_ray import RayExecutor
from inhouse.engine.ports import Executor
from inhouse.engine.settings import EngineSettings


def open_executor(settings: EngineSettings) -> Executor:
    """Raises SettingError where Ray is asked for and not installed."""
    if settings.executor == "ray":
        return RayExecutor(settings.address)
    return LocalExecutor(settings.workers)
