"""The app of the role `gateway`: raw ASGI around the same `Calls` that the role `api` has.

A framework, the feed and the models of one's own would take three times the memory of all that is
needed here, and seconds to start.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import unquote

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from inhouse.api.admission import admitted, bearer_in
from inhouse.api.errors import answer_to, crashed, no_endpoint
from inhouse.api.gateway.http import Inbound, Ready
from inhouse.api.house import House, Served
from inhouse.api.lane import Lane, Raw
from inhouse.api.meters import EXPOSITION, Meters
from inhouse.api.middleware import Gate, Origins, request_id_in
from inhouse.api.passing import PATHS, SCOPE, Asked, Calls, Whole, model_named, models_of
from inhouse.api.wire import Health, answer
from inhouse.app.hub import Hub
from inhouse.app.parts import Parts
from inhouse.core.errors import InhouseError, SettingError, StoreError

_MODELS: Final = "/openai/v1/models"
_Found = Callable[[Scope], Awaitable[Response]]


class Calling(Served[Parts]):
    """One community in a process of the role `gateway`."""

    def _load(self) -> None:
        if self.services.settings.app.clock != "system":
            raise SettingError(
                "the role gateway follows no log, so it needs the system's time: set "
                "INHOUSE_APP_CLOCK=system, or let the role api pass calls on"
            )
        super()._load()


class Gateway:
    """What a process of the role does with a request."""

    def __init__(self, hub: Hub[Parts]) -> None:
        self.house, self._meters = House(hub, Calling), Meters()
        self.most_body_bytes = hub.home.settings.api.most_body_bytes
        self._calls = Calls(self.house)
        self.drain_s = self._calls.drain_s
        self._straight = {path.encode(): service for service, path in PATHS.items()}
        self._meters.calls(self.house.tallies)
        plain = Plain(self.house, self._meters)
        lane = Lane(plain, {**self._calls.fast(), **plain.fast()})
        self._around = self._gate(Origins(lane, self.house.origins))

    async def handle(self, request: Inbound) -> Ready | ASGIApp:
        """Calls straight away, unless a browser may ask; all else as every role does."""
        service = self._straight.get(request.target) if request.method == b"POST" else None
        if service is None or request.too_large or self.house.origins():
            return self._around
        started = time.perf_counter()
        request_id = request_id_in(request.headers)
        asked = Asked(
            service=service,
            headers=request.headers,
            body=request.body,
            request_id=request_id,
            caller=request.caller,
        )
        found = await self._calls.answer(asked)
        if not isinstance(found, Whole):
            return self._later(found, request, request_id, started)
        self._meters.request("POST", PATHS[service], found.status, time.perf_counter() - started)
        lines = b"".join(b"%b: %b\r\n" % pair for pair in found.headers)
        lines += b"x-request-id: %b\r\n" % request_id.encode()
        return Ready(status=found.status, headers=lines, body=found.body)

    def _later(self, found: ASGIApp, request: Inbound, request_id: str, started: float) -> ASGIApp:
        """A stream, or an error: counted and named as all requests are, when it has ended."""
        gate = self._gate(found)
        request.headers.append((b"x-request-id", request_id.encode()))
        route = Raw(path=request.target.decode(), app=found)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"]["arrived_s"], scope["route"] = started, route
            await gate(scope, receive, send)

        return answer

    def _gate(self, app: ASGIApp) -> Gate:
        return Gate(app, self.most_body_bytes, self._meters)


class Plain:
    """What is asked now and then: health, metrics, models. Whatever else is asked is not here."""

    def __init__(self, house: House[Parts], meters: Meters) -> None:
        self._house, self._meters = house, meters

    def fast(self) -> dict[tuple[str, str], Raw]:
        """For the lane."""
        found: dict[str, _Found] = {
            "/healthz": self._health,
            "/v1/healthz": self._health,
            "/readyz": self._ready,
            "/v1/readyz": self._ready,
            "/metrics": self._metrics,
            "/v1/metrics": self._metrics,
            _MODELS: self._models,
            f"{_MODELS}/{{}}": self._model,
        }
        return {
            (method, path): Raw(path=path, app=_Answering(find))
            for path, find in found.items()
            for method in ("GET", "HEAD")
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = scope["state"]["request_id"]
        await no_endpoint(scope["method"], scope["path"], request_id)(scope, receive, send)

    async def _health(self, _: Scope) -> Response:
        return answer(Health(ok=True, communities=len(self._house), failing=self._house.failing))

    async def _ready(self, scope: Scope) -> Response:
        if self._house.failing == len(self._house):
            raise StoreError("no community can be served at the moment; the log says why")
        if self._house.alone and self._house.home:
            self._house.home.check()
        return await self._health(scope)

    async def _metrics(self, _: Scope) -> Response:
        facts = {
            "communities": float(len(self._house)),
            "communities_failing": float(self._house.failing),
            **self._house.generation_blocked(),
        }
        self._meters.state(facts)
        return Response(content=self._meters.text(), media_type=EXPOSITION)

    async def _models(self, scope: Scope) -> Response:
        return answer({"object": "list", "data": await models_of(self._parts(scope))})

    async def _model(self, scope: Scope) -> Response:
        name = unquote(scope["path"].removeprefix(f"{_MODELS}/"))
        return answer(await model_named(self._parts(scope), name))

    def _parts(self, scope: Scope) -> Parts:
        return admitted(self._house, bearer_in(scope["headers"]), SCOPE)[0].services


class _Answering:
    """ASGI around a function that finds an answer; errors are answered in the path's shape."""

    def __init__(self, find: _Found) -> None:
        self._find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = scope["state"]["request_id"]
        try:
            response = await self._find(scope)
        except InhouseError as error:
            response = answer_to(scope["path"], request_id, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
            response = crashed(scope["path"], request_id, error)
        await response(scope, receive, send)
