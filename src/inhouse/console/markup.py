"""HTML from pieces. Every string is escaped unless it is made here: posts are hostile input."""

import html
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote, urlsplit

_VOID: Final = frozenset(("img", "br", "hr", "input"))
Attribute = str | bool | int | None


class Safe(str):
    """HTML whose texts are escaped already. Only this module makes it out of other strings."""

    __slots__ = ()


Child = str | None


def escaped(text: str) -> Safe:
    """A text for the inside of an element or of a quoted attribute."""
    whole = text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair breaks JSON
    return Safe(html.escape(whole, quote=True))


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Safe:
    """An element. `class_` becomes `class`, `data_key` `data-key`; None and False are left out.

    >>> tag("p", "a < b", tag("b", "!"), class_="x", hidden=True)
    '<p class="x" hidden>a &lt; b<b>!</b></p>'
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Safe(f"<{name}{written}>")
    return Safe(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Iterable[Child], between: str = "") -> Safe:
    """Pieces one after the other; plain strings are escaped, None is left out."""
    pieces = (
        child if isinstance(child, Safe) else escaped(child)
        for child in children
        if child is not None
    )
    return Safe(escaped(between).join(pieces))


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escaped(str(value))}"'


def document(title: str, style: str, *body: Child) -> Safe:
    """A whole page that needs no other file. style: CSS of ours, never anybody's words."""
    head = (
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(title)}</title><style>{style}</style>"
    )
    inner = f"<head>{head}</head><body>{join(body)}</body>"
    return Safe(f'<!doctype html><html lang="en">{inner}</html>')


def words(text: str, **attributes: Attribute) -> Safe:
    """Somebody's words: isolated, so that right-to-left text leaves its surroundings alone."""
    return tag("bdi", text, dir="auto", **attributes)


def link(path: str, *children: Child, **attributes: Attribute) -> Safe:
    """A link within the console."""
    return tag("a", *children, href=path, **attributes)


def person_link(user_id: str, name: str | None = None) -> Safe:
    """A person's name or id, leading to their page."""
    return link(person_path(user_id), words(name or user_id), class_="person")


def person_path(user_id: str) -> str:
    """Where a person's page is; ids may hold slashes."""
    return f"/person/{quote(user_id, safe='')}"


def safe_url(url: str | None) -> str | None:
    """A picture's address if it is one over HTTP, else None."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def note(text: str, kind: str = "") -> Safe:
    """A small remark; `kind` is good, warn, bad, accent or nothing."""
    return tag("span", text, class_=f"note {kind}".strip())


def simulated() -> Safe:
    """The mark on every figure that comes from a simulated vendor."""
    return tag(
        "span",
        "simulated",
        class_="note simulated",
        title="no real vendor was called and no money was spent",
    )


def empty(what: str, how: str) -> Safe:
    """Says what will appear here, and what makes it appear."""
    return tag(
        "div",
        tag("p", what, class_="what"),
        tag("p", *with_code(how), class_="how"),
        class_="empty",
    )


def with_code(text: str) -> list[Child]:
    """A sentence whose parts between backticks are code."""
    return [tag("code", part) if place % 2 else part for place, part in enumerate(text.split("`"))]


def table(head: Sequence[str], rows: Sequence[Sequence[Child]], align: str) -> Safe:
    """A table. `align` has one letter a column: l(eft), r(ight, for numbers)."""
    kinds = ["num" if letter == "r" else None for letter in align]
    header = [
        tag("th", text, class_=kind, scope="col") for text, kind in zip(head, kinds, strict=True)
    ]
    body = [
        tag("tr", *(tag("td", cell, class_=k) for cell, k in zip(row, kinds, strict=True)))
        for row in rows
    ]
    inner = tag("table", tag("thead", tag("tr", *header)), tag("tbody", *body))
    return tag("div", inner, class_="scroll", tabindex="0")


def tile(name: str, value: Child, remark: Child = None, state: str = "") -> Safe:
    """A figure with its name; `state` is good, warn or bad and colours the dot."""
    dot = tag("i", class_=f"dot {state}") if state else None
    return tag(
        "div",
        tag("div", dot, name, class_="name"),
        tag("div", value, class_="value"),
        tag("div", remark, class_="remark") if remark is not None else None,
        class_="tile",
    )


def tiles(*members: Safe) -> Safe:
    """Figures side by side."""
    return tag("div", *members, class_="tiles")
