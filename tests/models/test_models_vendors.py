"""The file of rented models: read whole, or every fault named."""

from decimal import Decimal
from pathlib import Path

import pytest

from inhouse.core.errors import SettingError
from inhouse.models.types import ContractPrice, Deployment
from inhouse.models.vendors import read_vendors

AN_AMOUNT = 'an amount as a text, such as "0.15", of at most 18 characters'
_GOOD = """
[main]
url = "http://10.0.0.7:8000/v1"
model = "llama"
host = "ourselves"
owner = "meta"
key_env = "LLAMA_KEY"
omit = ["temperature"]
harvest = false

[spare]
dialect = "azure"
url = "https://r.openai.azure.com"
model = "mini"
host = "azure"
owner = "openai"
api_version = "2024-10-21"
batch = 4
price_as = "azure/gpt-4o-mini"
terms = "contract-own-use"
simulated = true

[spare.contract]
in_usd_per_mtok = "0.15"
cached_usd_per_mtok = "0.075"
out_usd_per_mtok = "0.60"
"""


def _read(folder: Path, text: str, **environment: str) -> list[Deployment]:
    path = folder / "vendors.toml"
    path.write_text(text, "utf-8")
    return read_vendors(path, environment)


def test_deployments_are_read_in_order(tmp_path: Path) -> None:
    """The first is the preferred one; keys come from the environment."""
    main, spare = _read(tmp_path, _GOOD, LLAMA_KEY="sk-1")
    assert main == Deployment(
        name="main",
        host="ourselves",
        owner="meta",
        model="llama",
        url="http://10.0.0.7:8000/v1",
        key="sk-1",
        omit=("temperature",),
        harvest=False,
        terms="unknown",
    )
    assert spare.terms == "contract-own-use"
    assert spare.contract == ContractPrice(
        in_usd_per_mtok=Decimal("0.15"),
        cached_usd_per_mtok=Decimal("0.075"),
        out_usd_per_mtok=Decimal("0.60"),
    )
    assert (
        spare.dialect,
        spare.api_version,
        spare.batch,
        spare.simulated,
    ) == ("azure", "2024-10-21", 4, True)


def test_keys_are_not_shown(tmp_path: Path) -> None:
    """A deployment that lands in a log or a traceback keeps its secret."""
    assert "sk-1" not in repr(_read(tmp_path, _GOOD, LLAMA_KEY="sk-1"))


def test_without_a_file_nothing_is_rented(tmp_path: Path) -> None:
    """That is allowed."""
    assert read_vendors(tmp_path / "vendors.toml", {}) == []


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    """The message lists each place, what was there, and what was expected."""
    text = """
top = 1
[owned]
url = "http://v"
[main]
url = "ftp://v"
model = ""
host = "inhouse"
owner = "x"
dialect = "french"
batch = 0
key_env = "NOT_SET"
speed = 3
harvest = "yes"
serves = ["chat", "poems"]
stand_ins = ["main", "nobody", 3]
moderate = "poems"
[main.contract]
in_usd_per_mtok = 0.1
out_usd_per_mtok = "-1"
day_usd = "1"
"""
    with pytest.raises(SettingError) as caught:
        _read(tmp_path, text)
    assert [str(fault) for fault in caught.value.faults] == [
        "top: got 1, expected a table of settings for one deployment",
        "[owned]: got 'owned', expected another name than 'incumbent' and 'owned', "
        "1 to 128 of the characters A-Z a-z 0-9 _ . : @ / + = ~ -",
        "main.model: got 'nothing', expected a text",
        "main.url: got 'ftp://v', expected an address such as https://api.example.com/v1",
        "main.host: got 'inhouse', expected another name: 'inhouse' stands for the models trained "
        "here",
        "main.dialect: got 'french', expected one of openai, moderations, azure, hugging_face",
        "main.batch: got 0, expected 1 to 256",
        "main.key_env: got 'NOT_SET', expected the name of an environment variable that is set",
        "main.speed: got 3, expected no such setting; known are dialect, url, model, host, owner, "
        "key_env, api_version, omit, batch, price_as, contract, labels, serves, stand_ins, "
        "cache_s, cache_any, moderate, terms, harvest, simulated, keep_calls, pictures, retires",
        "main.harvest: got 'yes', expected a value of type bool",
        "main.serves: got ['chat', 'poems'], expected some of scores, chat, embeddings",
        "main.stand_ins: got ['main', 'nobody', 3], expected a list of names",
        "main.contract.cached_usd_per_mtok: got 'nothing', expected an amount such as \"0.15\"",
        f"main.contract.in_usd_per_mtok: got 0.1, expected {AN_AMOUNT}",
        f"main.contract.out_usd_per_mtok: got '-1', expected {AN_AMOUNT}",
        "main.contract.day_usd: got '1', expected one of in_usd_per_mtok, cached_usd_per_mtok, "
        "out_usd_per_mtok, request_usd",
        "main.moderate: got 'poems', expected one of text_harm",
        "main.stand_ins: got 'main', expected names of other tables of this file",
        "main.stand_ins: got 'nobody', expected names of other tables of this file",
    ]


def test_only_chats_are_judged(tmp_path: Path) -> None:
    """Whoever serves no chats has nothing to be judged."""
    text = """
[main]
url = "http://v"
model = "m"
host = "h"
owner = "o"
moderate = "text_harm"
"""
    with pytest.raises(SettingError) as caught:
        _read(tmp_path, text)
    assert [str(fault) for fault in caught.value.faults] == [
        "main.moderate: got 'text_harm', expected nothing, or serves with chat"
    ]
    (one,) = _read(tmp_path, text + 'serves = ["chat"]')
    assert one.moderate == "text_harm"


def test_a_checkpoint_runs_here(tmp_path: Path) -> None:
    """It has an owner but no vendor, address or key."""
    text = """
[guard]
dialect = "hugging_face"
model = "somebody/guard"
owner = "somebody"
labels = { insult = "harassment" }
"""
    (guard,) = _read(tmp_path, text)

    assert (guard.host, guard.owner, guard.labels) == (
        "local",
        "somebody",
        {"insult": "harassment"},
    )


def test_what_a_checkpoint_cannot_have_is_refused(tmp_path: Path) -> None:
    """An address, a missing map, a category nobody knows; and a map on a rented model."""
    text = """
[guard]
dialect = "hugging_face"
model = "somebody/guard"
url = "http://v"
[other]
dialect = "hugging_face"
model = "somebody/guard"
owner = "somebody"
labels = { insult = "rudeness", threat = ["violence"] }
[rented]
url = "http://v"
model = "m"
host = "h"
owner = "o"
labels = { insult = "harassment" }
"""
    with pytest.raises(SettingError) as caught:
        _read(tmp_path, text)
    categories = "harassment, hate, self_harm, sexual, spam, violence"
    assert [str(fault) for fault in caught.value.faults] == [
        "guard.owner: got 'nothing', expected a text",
        "guard.labels: got 'nothing', expected a table",
        "guard.url: got 'http://v', expected nothing: the model runs on this machine",
        "other.labels: got {'insult': 'rudeness', 'threat': ['violence']}, "
        f"expected labels of the checkpoint, each with one of {categories}",
        "rented.labels: got {'insult': 'harassment'}, "
        "expected nothing: only the dialect hugging_face maps labels",
    ]


def test_a_broken_file_names_the_line(tmp_path: Path) -> None:
    """TOML's own words are passed on."""
    with pytest.raises(
        SettingError, match=r"cannot read .*vendors.toml: .*line 2.*; mend the line"
    ):
        _read(tmp_path, "[main]\nurl =\n")


@pytest.mark.parametrize(
    ("host", "owner", "more", "expected"),
    [
        ("openai", "openai", "", "openai-2026-01-01"),
        ("openai", "openai", 'terms = "contract-free"', "contract-free"),
        ("anthropic", "anthropic", "", "anthropic-2025-06-17"),
        ("google", "google", 'terms = "gemini"', "gemini-2025-05-20"),
        ("azure", "openai", "", "azure-unread"),
        ("router", "openai", "", "unknown"),
        ("our-gpu", "meta", 'terms = "apache-2.0"', "apache-2.0"),
        ("demo", "demo", "simulated = true", "simulated"),
    ],
)
def test_terms_are_named_or_the_vendors_own(
    tmp_path: Path, host: str, owner: str, more: str, expected: str
) -> None:
    """With their version; where it is not known whose terms hold, they are unknown."""
    text = f'[main]\nurl = "http://v"\nmodel = "m"\nhost = "{host}"\nowner = "{owner}"\n{more}\n'
    (main,) = _read(tmp_path, text)

    assert main.terms == expected


def test_terms_nobody_knows_are_shown_where_they_stand(tmp_path: Path) -> None:
    """With line, caret and what may have been meant."""
    text = '[main]\nurl = "http://v"\nmodel = "m"\nhost = "h"\nowner = "o"\nterms = "opanai"\n'
    with pytest.raises(SettingError) as caught:
        _read(tmp_path, text)

    path = tmp_path / "vendors.toml"
    assert str(caught.value) == (
        f"1 fault in {path}\n\n"
        f"{path}:6:9: main.terms: got 'opanai'\n"
        '  6 | terms = "opanai"\n'
        "    |         ^\n"
        "    = expected a name of `inhouse models terms`: did you mean `openai`?"
    )


@pytest.mark.parametrize("amount", ["1e30", "0.1234567890123456789", "1e-20", "NaN", "-0.1"])
def test_a_contracts_amount_has_room_in_the_ledger(tmp_path: Path, amount: str) -> None:
    """Its digits are kept with every amount; one with more than anybody agrees on is refused."""
    with pytest.raises(SettingError) as caught:
        _read(tmp_path, _GOOD.replace('"0.15"', f'"{amount}"'))
    assert f"expected {AN_AMOUNT}" in str(caught.value)


def test_only_a_moderations_endpoint_is_asked_about_pictures(tmp_path: Path) -> None:
    """Another dialect has no way to ask."""
    with pytest.raises(SettingError) as caught:
        _read(tmp_path, _GOOD.replace("batch = 4", "pictures = true"))
    assert [str(fault) for fault in caught.value.faults][-1] == (
        "spare.pictures: got True, expected nothing: only the dialect moderations is asked about "
        "pictures"
    )
