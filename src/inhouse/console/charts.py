"""Chart options for ECharts: pure, and readable on light and dark grounds alike."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from nicegui import ui

Options = dict[str, Any]

ACCENT: Final = "#1a9c93"
SERIES: Final = ("#1a9c93", "#8d99a6", "#c98a2b", "#6f7fd1", "#b5647f", "#5b9bd5", "#93a94b")
# Models of one's own are the accent; vendors never are.
VENDOR_COLOURS: Final = SERIES[1:]
_TEXT: Final = "#868e97"
_LINE: Final = "rgba(134,142,151,.22)"
_FONT: Final = 'Roboto, system-ui, "Liberation Sans", sans-serif'


def lines(days: Sequence[str], series: Mapping[str, Sequence[float | None]], unit: str) -> Options:
    """One line a name over days; what is unknown is a gap."""
    drawn = [
        {
            "name": name,
            "type": "line",
            "data": list(values),
            "symbol": "circle",
            "symbolSize": 6,
            "showSymbol": len(days) < 15,
            "lineStyle": {"width": 2.5},
            "areaStyle": {"opacity": 0.10} if len(series) == 1 else None,
        }
        for name, values in series.items()
    ]
    return _frame(days, drawn, unit)


def columns(
    days: Sequence[str],
    series: Mapping[str, Sequence[float]],
    unit: str,
    colours: Sequence[str] = SERIES,
) -> Options:
    """Stacked columns over days, one colour a name."""
    drawn = [
        {
            "name": name,
            "type": "bar",
            "stack": "all",
            "data": list(values),
            "barMaxWidth": 34,
            "itemStyle": {"borderRadius": 1},
        }
        for name, values in series.items()
    ]
    return {**_frame(days, drawn, unit), "color": list(colours)}


def shares(days: Sequence[str], part: Sequence[float | None], name: str) -> Options:
    """A share of one over days, 0 to 100 %."""
    options = lines(days, {name: [None if p is None else round(100 * p, 1) for p in part]}, "%")
    options["yAxis"] |= {"min": 0, "max": 100, "interval": 25}
    return options


def _frame(days: Sequence[str], series: list[dict[str, Any]], unit: str) -> Options:
    return {
        "color": list(SERIES),
        "animation": False,
        "textStyle": {"fontFamily": _FONT},
        "grid": {
            "left": 2,
            "right": 14,
            "top": 34 if len(series) > 1 else 14,
            "bottom": 10,
            "containLabel": True,
        },
        "legend": {
            "show": len(series) > 1,
            # One line with arrows where names need more: a second line would lie on the axis.
            "type": "scroll",
            "top": 0,
            "left": 0,
            "right": 0,
            "pageIconSize": 11,
            "pageIconColor": ACCENT,
            "pageIconInactiveColor": _LINE,
            "pageTextStyle": {"color": _TEXT},
            "icon": "roundRect",
            "itemWidth": 12,
            "itemHeight": 8,
            "textStyle": {"color": _TEXT, "fontSize": 12.5},
        },
        "tooltip": {
            "trigger": "axis",
            "backgroundColor": "var(--surface)",
            "borderColor": "var(--line)",
            "textStyle": {"color": "var(--ink)", "fontSize": 13},
            "axisPointer": {"lineStyle": {"color": _TEXT}},
            "confine": True,
        },
        "xAxis": {
            "type": "category",
            "data": list(days),
            "axisLine": {"lineStyle": {"color": _LINE}},
            "axisTick": {"show": False},
            "axisLabel": {"color": _TEXT, "fontSize": 12, "hideOverlap": True},
        },
        "yAxis": {
            "type": "value",
            "name": "",
            "axisLabel": {"color": _TEXT, "fontSize": 12, "formatter": _unit(unit)},
            "splitLine": {"lineStyle": {"color": _LINE}},
            "splitNumber": 3,
        },
        "series": series,
    }


def _unit(unit: str) -> str:
    return "${value}" if unit == "$" else f"{{value}} {unit}".strip()


class Chart:
    """A chart on a page; redrawn without flicker, and only when its options differ."""

    def __init__(self, label: str, height_px: int = 200) -> None:
        self._label = label
        self._height_px = height_px
        self._options: Options = {}
        self._place = ui.element("div").classes("chart-place")
        self._chart: ui.echart | None = None

    def show(self, options: Options) -> None:
        """Draw these options; a chart that was never shown takes no room."""
        if options == self._options:
            return
        self._options = options
        if self._chart is None:
            with self._place:
                self._chart = self._drawn(options)
            return
        self._chart.options.clear()
        self._chart.options.update(options)
        self._chart.update()

    def _drawn(self, options: Options) -> ui.echart:
        chart = ui.echart(dict(options), renderer="svg").classes("chart")
        chart.style(f"height: {self._height_px}px")
        chart.props["role"] = "img"
        chart.props["aria-label"] = self._label
        return chart
