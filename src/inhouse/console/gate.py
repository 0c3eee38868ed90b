"""What open pages send: each message is for the page of its own session, or it is not heard.

A page belongs to the session that asked for it, whose role the door has checked; so no other role,
and nobody else, presses a button of it. This is the one place where that is seen to, for every
button, field and key of every page.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

from nicegui import Client, core, ui

from inhouse.console.access import Visitor, visit_of, visitor_of
from inhouse.core.logs import logger

_Handler = Callable[..., Any]
_NAMESPACE: Final = "/"
_UNGATED: Final = frozenset(("disconnect",))  # leaves only what the socket itself has entered
_PLAIN: Final[dict[str, _Handler]] = {}  # as the framework made them
_LOG: Final = logger("console")


def ticket_of_page(client_id: str) -> str | None:
    """The session that an open page was made for; None for a page that is not there, too."""
    client = Client.instances.get(client_id)
    return visitor_of(client.request).ticket if client is not None else None


def visitor() -> Visitor:
    """Who asked for the page that is being built or heard."""
    return visitor_of(ui.context.client.request)


def gate_messages(cookie: str) -> None:
    """Put the check before all that the framework hears from pages."""
    handlers = core.sio.handlers[_NAMESPACE]
    for name, handler in list(handlers.items()):
        if name not in _UNGATED:
            plain = _PLAIN.setdefault(name, handler)
            handlers[name] = _gated(name, plain, cookie)


def _gated(name: str, plain: _Handler, cookie: str) -> _Handler:
    async def gated(sid: str, *given: Any) -> Any:
        facts = given[0] if given and isinstance(given[0], dict) else {}
        is_new = name == "connect"  # its facts are the connection's own
        page = _page_named(facts) if is_new else str(facts.get("client_id", ""))
        scope = (facts if is_new else core.sio.get_environ(sid))["asgi.scope"]
        if page in Client.instances and ticket_of_page(page) != visit_of(scope, cookie).ticket:
            _LOG.warning("message_not_heard", message=name)
            return False
        answer = plain(sid, *given)
        return await answer if asyncio.iscoroutine(answer) else answer

    return gated


def _page_named(connection: dict[str, Any]) -> str:
    return parse_qs(str(connection.get("QUERY_STRING", ""))).get("client_id", [""])[0]
