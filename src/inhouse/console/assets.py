"""The console's own files: styles, scripts, pages. Nothing is fetched from elsewhere."""

from pathlib import Path
from typing import Final

ASSETS: Final = Path(__file__).with_name("assets")
PATH: Final = "/console/assets"


def asset(name: str) -> str:
    """The text of one file."""
    return (ASSETS / name).read_text("utf-8")
