"""The small pages around signing in: forms that need no script, made for password managers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from fastapi import Request
from fastapi.responses import HTMLResponse

from inhouse.console.assets import asset
from inhouse.console.markup import Safe, escaped, join, tag

MOST_BODY: Final = 4_096
_MARK: Final = re.compile(r"__[A-Z]+__")
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field of a form."""

    name: str
    label: str  # empty for one that is not seen
    kind: str = "password"
    autocomplete: str = "off"  # what a password manager is told of it
    value: str = ""

    def html(self) -> Safe:
        """With its label; browsers keep what is in a password field to themselves."""
        if not self.label:
            return tag("input", type="hidden", name=self.name, value=self.value)
        label = tag("label", self.label, for_=self.name)
        box = tag(
            "input",
            id=self.name,
            name=self.name,
            type=self.kind,
            autocomplete=self.autocomplete,
            value=self.value or None,
            maxlength=256,
            required=True,
            autocapitalize="none",
            spellcheck="false",
        )
        return join([label, box])


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """A page with one form."""

    title: str
    action: str  # where it goes
    press: str  # on its button
    fields: Sequence[Field]
    lead: str = ""  # what it is for
    after: Safe | None = None  # below the form


def sign_page(form: Form, trouble: str = "", status: int = 200) -> HTMLResponse:
    """The page, with what went wrong before."""
    parts = {
        "__TITLE__": escaped(form.title),
        "__LEAD__": tag("p", form.lead) if form.lead else "",
        "__ACTION__": escaped(form.action),
        "__FIELDS__": join([field.html() for field in form.fields]),
        "__TROUBLE__": escaped(trouble),
        "__PRESS__": escaped(form.press),
        "__AFTER__": form.after or "",
    }
    # In one go: what is filled in may hold such a mark.
    page = _MARK.sub(lambda mark: parts[mark.group()], asset("login.html"))
    return HTMLResponse(page, status, headers=HEADERS)


async def sent_fields(request: Request) -> dict[str, str]:
    """What was typed into a form; nothing of a body that is no form's."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BODY:
            return {}
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}
