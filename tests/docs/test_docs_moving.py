"""What the guides for moving tell people to run, runs."""

import csv
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.wire_world import own_a_model, running
from tests.models.models_texts import posts

from inhouse.api.openai.categories import CATEGORIES
from inhouse.api.perspective.attributes import ATTRIBUTES
from inhouse.app.build import Services
from inhouse.app.settings import load_settings
from inhouse.models.vendors import read_vendors
from inhouse.moderation.types import CHILD_ABUSE

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"
OPENAI = (GUIDES / "moving-from-openai-moderation.md").read_text("utf-8")
PERSPECTIVE = (GUIDES / "moving-from-perspective.md").read_text("utf-8")
GATEWAY = (GUIDES / "gateway.md").read_text("utf-8")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Address and key of a running server with a model of its own."""
    environment = {"INHOUSE_STORE_FOLDER": str(tmp_path / "data")}
    services = Services(load_settings(environment, tmp_path / "none.toml"))
    own_a_model(services)
    _, secret = services.keys.create("guide", ["models"])
    with running(services) as address:
        yield address, secret
    services.close()


def _block(guide: str, language: str, holding: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", guide, re.DOTALL)
    (found,) = [block for block in blocks if holding in block]
    return str(found)


def _here(block: str, server: tuple[str, str]) -> str:
    return block.replace("http://127.0.0.1:8700", server[0]).replace("inh_…", server[1])


def _run(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout


def test_the_client_of_the_guide_gets_its_answer(server: tuple[str, str]) -> None:
    """The example's text holds a listed term."""
    code = _here(_block(OPENAI, "python", "import openai"), server)

    assert _run(sys.executable, "-c", code) == "True 0.75\n"


def test_the_curl_of_the_guide_gets_its_answer(server: tuple[str, str]) -> None:
    """Both attributes of the example are scored."""
    shell = _here(_block(PERSPECTIVE, "sh", "curl"), server).partition("curl -s")[2]
    told = _run("bash", "-euo", "pipefail", "-c", f"curl -sf {shell}")

    assert '"TOXICITY"' in told
    assert '"INSULT"' in told


def test_the_guides_script_finds_a_threshold(server: tuple[str, str], tmp_path: Path) -> None:
    """On posts with a known decision: nearly all the bad ones, and as many right as asked."""
    texts, truth = posts(80, seed=7)
    with (tmp_path / "known.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("text", "bad"))
        rows.writerows(zip(texts, truth[:, 0].astype(int), strict=True))
    code = _block(PERSPECTIVE, "python", "SHARE_RIGHT")
    given = (f"{server[0]}/v1alpha1/comments:analyze", server[1], str(tmp_path / "known.csv"))
    told = _run(sys.executable, "-c", code, *given, "IDENTITY_ATTACK", "0.9")
    match = re.fullmatch(
        r"flag from (\S+) on: (\d+) of 80 flagged, (\d+) rightly, (\d+)% .*\n", told
    )

    assert match is not None, told
    assert int(match[3]) >= 0.9 * int(match[2])
    assert int(match[4]) >= 90


def test_the_guides_tables_are_the_codes() -> None:
    """Each category and attribute with what answers it, as the code has it."""
    for theirs, ours in CATEGORIES.items():
        row = next(line for line in OPENAI.splitlines() if f"`{theirs}`" in line and "|" in line)
        answered = f"banks of known pictures of `{ours}`" if ours == CHILD_ABUSE else ours
        assert row.endswith(f"| {answered or 'nobody'} |")
    for attribute, names in ATTRIBUTES.items():
        if names and attribute != "PROFANITY":
            assert f"| `{attribute}` | {', '.join(names)} |" in PERSPECTIVE


def test_the_gateways_guide_is_a_file_of_vendors(tmp_path: Path) -> None:
    """Its example is read without a fault, and says who answers what."""
    (tmp_path / "vendors.toml").write_text(_block(GATEWAY, "toml", "[main]"))
    keys = {"OPENAI_API_KEY": "a", "AZURE_KEY": "b"}
    found = read_vendors(tmp_path / "vendors.toml", keys)

    assert {one.name: (one.serves, one.stand_ins) for one in found} == {
        "main": (("chat",), ("azure",)),
        "azure": (("chat",), ()),
        "vectors": (("embeddings",), ()),
    }
