"""Bars of a list."""

from inhouse.console.markup import Safe, tag


def bar(
    name: Safe, part: float, figure: str, kind: str = "", threshold: float | None = None
) -> Safe:
    """One bar. `part` and `threshold` are shares of the whole width, 0 to 1; `kind` colours it."""
    width = f"width:{100 * max(0.0, min(1.0, part)):.1f}%"
    fill = tag("i", class_=f"fill {kind}".strip(), style=width)
    mark = (
        None
        if threshold is None
        else tag("i", class_="threshold", style=f"left:{100 * threshold:.1f}%")
    )
    return tag(
        "div",
        tag("div", name),
        tag("div", fill, mark, class_="track"),
        tag("div", figure, class_="figure"),
        class_="bar",
    )
