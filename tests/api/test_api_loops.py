"""What keeps a server up to date goes on after a fault that nobody foresaw."""

import time

import pytest
from starlette.testclient import TestClient

from inhouse.api import house
from inhouse.api.server import create_app
from inhouse.app.build import Services


def test_a_loop_that_crashes_is_told_of_and_begins_again(
    services: Services, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the server would serve the state of that moment for ever, and say that all is well."""
    monkeypatch.setattr(house, "_AGAIN_S", 0.01)
    asked = 0
    follower = services.feeds.follower
    catch_up = follower.catch_up

    def crashing() -> int:
        nonlocal asked
        asked += 1
        if asked in (3, 4):
            raise ZeroDivisionError("nobody foresaw this")
        return catch_up()

    monkeypatch.setattr(follower, "catch_up", crashing)
    with TestClient(create_app(services)) as client:
        until_s = time.monotonic() + 20
        while asked < 6 and time.monotonic() < until_s:
            time.sleep(0.02)
        metrics = client.get("/metrics").text
        assert client.get("/v1/healthz").json()["ok"]
    assert asked >= 6
    assert 'inhouse_state{fact="loops_crashed"} 2.0' in metrics
    told = capsys.readouterr()
    assert (told.out + told.err).count("loop_crashed") == 1  # of the first; seldom of others
    assert "nobody foresaw this" in told.out + told.err
