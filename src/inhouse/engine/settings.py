"""Where batch work runs."""

from dataclasses import dataclass

from inhouse.core.settings import setting


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """One executor for all batch work."""

    executor: str = setting(
        "local",
        unit="name",
        help="local: processes of this machine; ray: a cluster (extra `cluster`)",
        choices=("local", "ray"),
    )
    workers: int = setting(
        0, unit="processes", help="for local; 0 takes one a core", least=0, most=1024
    )
    address: str = setting(
        "auto", unit="address", help="of the Ray cluster; empty starts one on this machine"
    )
