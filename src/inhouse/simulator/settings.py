"""Settings of the simulator; the flags of its command line are made from this table."""

from dataclasses import dataclass

from inhouse.core.settings import setting


@dataclass(frozen=True, kw_only=True)
class SimulatorSettings:
    """A community to play, and the server to play it against."""

    api: str = setting("http://127.0.0.1:8700", unit="URL", help="the server to talk to")
    key: str = setting(
        "", unit="text", help="API key with the scopes items, users, events and feed"
    )
    seed: int = setting(1, unit="number", help="everything random follows from it", least=0)
    people: int = setting(
        1_000, unit="people", help="people at the start", least=12, most=1_000_000
    )
    posts: int = setting(2_000, unit="posts", help="posts at the start", least=1, most=10_000_000)
    days: int = setting(
        4, unit="days", help="simulated days to play before living on or stopping", least=0
    )
    start_day: str = setting(
        "", unit="YYYY-MM-DD", help="first simulated day; empty: so that the last one is yesterday"
    )
    state: str = setting(
        "simulator.json", unit="path", help="checkpoint to go on from; its arrays lie beside it"
    )
    truth: str = setting("", unit="path", help="where the true report is written; empty: nowhere")
    media_port: int = setting(
        8702,
        unit="port",
        help="where cover pictures are served; 0 serves none",
        least=0,
        most=65_535,
    )
    vendor_port: int = setting(
        8703, unit="port", help="where the rented stand-in listens; 0: none", least=0, most=65_535
    )
    vendor_latency_ms: int = setting(
        120, unit="ms", help="median time the stand-in takes", least=0, most=60_000
    )
    replies: bool = setting(
        False, unit="yes/no", help="some posts are answered; how the community plays is the same"
    )
    pace: float = setting(
        0.0, unit="s", help="least real time of a simulated hour; 0: as fast as it goes", least=0.0
    )
    live: bool = setting(False, unit="yes/no", help="people live on after the days, until stopped")
    live_pace: float = setting(
        30.0, unit="s", help="real time of a simulated hour while they live on", least=0.1
    )
    in_flight: int = setting(
        16, unit="requests", help="most people on the server at the same time", least=1, most=512
    )
    retry_s: float = setting(
        300.0, unit="s", help="how long a server that does not answer is waited for", least=1.0
    )
