"""The documentation: fresh, linked, and its code runs."""

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from inhouse.api.server import create_app
from inhouse.app.build import Services
from inhouse.app.keys import SCOPES
from inhouse.app.settings import load_settings
from inhouse.moderation.policy.parse import read_policy

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text("utf-8")


def test_reference_pages_are_made_from_the_code() -> None:
    """Every setting, command and endpoint is in docs/reference as the code has it."""
    found = subprocess.run(
        [sys.executable, "-m", "tools.docs", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and picture of a page exists."""
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    relative = [target for target in targets if "://" not in target]
    missing = [target for target in relative if not (page.parent / target).exists()]

    assert missing == []


def test_the_policies_of_the_guide_can_be_used() -> None:
    """Each example is a policy without a fault, and each is another."""
    guide = (ROOT / "docs" / "guides" / "policy.md").read_text("utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    versions = {read_policy("guide", example).version for example in examples}

    assert len(versions) == len(examples) == 3


def test_every_package_has_its_page() -> None:
    """One page a package, and no page without one."""
    packages = {path.parent.name for path in (ROOT / "src" / "inhouse").glob("*/__init__.py")}
    pages = {path.stem for path in (ROOT / "docs" / "packages").glob("*.md")}

    assert pages == packages


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A running API and a key: address, secret."""
    environment = {"INHOUSE_STORE_FOLDER": str(tmp_path / "data")}
    services = Services(load_settings(environment, tmp_path / "none.toml"))
    _, secret = services.keys.create("readme", SCOPES)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = uvicorn.Config(create_app(services), port=port, log_config=None)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}/v1", secret
    running.should_exit = True
    thread.join()
    services.close()


def _block(language: str, holding: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [block for block in blocks if holding in block]
    return str(found)


def test_the_readme_connects_an_app(server: tuple[str, str]) -> None:
    """The README's curl lines and then its Python run word for word against a server."""
    url, secret = server
    shell = _block("sh", "curl").replace("inh_…", secret).replace("http://127.0.0.1:8700/v1", url)
    shell = shell.replace("curl -s ", "curl -sf ")
    subprocess.run(["bash", "-euo", "pipefail", "-c", shell], check=True, capture_output=True)
    python = _block("python", "urllib").replace("inh_…", secret)
    python = python.replace("http://127.0.0.1:8700/v1", url)
    subprocess.run([sys.executable, "-c", python], check=True, capture_output=True)
