"""The file that lists the rented models, `vendors.toml`: one table a deployment.

    [main]
    dialect = "openai"             # openai, moderations or azure
    url = "https://api.openai.com/v1"
    model = "gpt-5-nano"
    host = "openai"                # who runs it
    owner = "openai"               # who made the model
    key_env = "OPENAI_API_KEY"     # the variable that holds the key, never the key itself
    terms = "openai-2026-01"       # under which its answers may be kept
    omit = ["temperature"]         # fields of the request that this model refuses
    serves = ["scores", "chat"]    # scores: judging our tasks; chat, embeddings: calls passed on
    moderate = "text_harm"         # chats are judged by that task's owned model, both ways
    stand_ins = ["other"]          # asked in turn where a call cannot be passed on to this one

    [main.contract]                # where you pay something other than the list's price
    in_usd_per_mtok = "0.04"
    cached_usd_per_mtok = "0.004"
    out_usd_per_mtok = "0.32"

    [guard]                        # a model that others made and this machine runs (extra `hf`)
    dialect = "hugging_face"
    model = "unitary/unbiased-toxic-roberta"   # name on the hub, or a folder
    owner = "unitary"
    labels = { insult = "harassment", identity_attack = "hate", threat = "violence" }

The first table is the preferred one, the others stand in for it. Addresses are the operator's own
choice and may be private. The file need not exist: then nothing is rented.
"""

import tomllib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from inhouse.core.errors import Fault, SettingError
from inhouse.core.ids import ID_RULE, is_valid_id
from inhouse.models.tasks import TASKS
from inhouse.models.types import (
    DIALECTS,
    HUGGING_FACE,
    INHOUSE,
    LOCAL,
    OWNED,
    SERVICES,
    ContractPrice,
    Deployment,
)

_KINDS: Final[Mapping[str, type]] = {
    "dialect": str,
    "url": str,
    "model": str,
    "host": str,
    "owner": str,
    "key_env": str,
    "api_version": str,
    "omit": list,
    "batch": int,
    "price_as": str,
    "contract": dict,
    "labels": dict,
    "serves": list,
    "stand_ins": list,
    "moderate": str,
    "terms": str,
    "harvest": bool,
    "simulated": bool,
}
_REQUIRED: Final = ("url", "model", "host", "owner")
_REQUIRED_HERE: Final = ("model", "owner", "labels")  # of a model that this machine runs
_NOT_HERE: Final = frozenset(
    (
        "url",
        "host",
        "key_env",
        "api_version",
        "omit",
        "price_as",
        "contract",
        "serves",
        "stand_ins",
        "moderate",
    )
)
_ONLY_ELSEWHERE: Final = {
    True: "the model runs on this machine",
    False: "only the dialect hugging_face maps labels",
}
_RATES: Final = ("in_usd_per_mtok", "cached_usd_per_mtok", "out_usd_per_mtok", "request_usd")
_LONGEST: Final = {"host": 64, "owner": 64, "model": 96, "terms": 64, "name": 96}
_MOST_BATCH: Final = 256
_CATEGORIES: Final = frozenset(name for task in TASKS.values() for name in task.categories)


def read_vendors(path: Path, environment: Mapping[str, str]) -> list[Deployment]:
    """The deployments of the file, in its order; none where it does not exist.

    Raises SettingError that lists every fault at once.
    """
    if not path.exists():
        return []
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"cannot read {path}: {error}; mend the line") from None
    faults: list[Fault] = []
    for name, table in tables.items():
        faults.extend(_faults(name, table, environment))
        faults.extend(_passing_faults(name, table, tables))
    if faults:
        raise SettingError(f"{len(faults)} thing(s) in {path} cannot be used", faults)
    return [_deployment(name, table, environment) for name, table in tables.items()]


def _faults(name: str, table: Any, environment: Mapping[str, str]) -> list[Fault]:
    if not isinstance(table, dict):
        return [_fault(name, table, "a table of settings for one deployment")]
    if name == OWNED or not is_valid_id(name) or len(name) > _LONGEST["name"]:
        expected = f"another name than {OWNED!r}, {ID_RULE}"
        return [_fault(f"[{name}]", name, expected)]
    here = table.get("dialect") == HUGGING_FACE
    faults = [
        _fault(f"{name}.{field}", "nothing", "a table" if field == "labels" else "a text")
        for field in (_REQUIRED_HERE if here else _REQUIRED)
        if not table.get(field)
    ]
    misplaced = _NOT_HERE if here else {"labels"}
    faults += [
        _fault(f"{name}.{field}", value, f"nothing: {_ONLY_ELSEWHERE[here]}")
        for field, value in table.items()
        if field in misplaced
    ]
    for field, value in table.items():
        expected = _expected(field, value, environment)
        if expected:
            faults.append(_fault(f"{name}.{field}", value, expected))
    if isinstance(table.get("contract"), dict):
        faults.extend(_contract_faults(name, table["contract"]))
    return faults


def _expected(field: str, value: Any, environment: Mapping[str, str]) -> str:
    """What would have been right; empty where the value is."""
    kind = _KINDS.get(field)
    if kind is None:
        return "no such setting; known are " + ", ".join(_KINDS)
    if type(value) is not kind:
        return f"a value of type {kind.__name__}"
    if len(str(value)) > _LONGEST.get(field, 10_000):
        return f"at most {_LONGEST[field]} characters"
    return _expected_of(field, value, environment)


def _expected_of(field: str, value: Any, environment: Mapping[str, str]) -> str:
    if field == "dialect" and value not in DIALECTS:
        return "one of " + ", ".join(DIALECTS)
    if field == "url" and (urlsplit(value).scheme not in ("http", "https") or not _host(value)):
        return "an address such as https://api.example.com/v1"
    if field == "key_env" and not environment.get(value):
        return "the name of an environment variable that is set"
    if field in ("host", "owner") and value == INHOUSE:
        return f"another name: {INHOUSE!r} stands for the models trained here"
    if field == "batch" and not 1 <= value <= _MOST_BATCH:
        return f"1 to {_MOST_BATCH}"
    if field == "labels" and not all(str(category) in _CATEGORIES for category in value.values()):
        return "labels of the checkpoint, each with one of " + ", ".join(sorted(_CATEGORIES))
    if field in ("omit", "stand_ins") and not all(isinstance(name, str) for name in value):
        return "a list of names"
    if field == "moderate" and value not in TASKS:
        return "one of " + ", ".join(TASKS)
    if field == "serves" and not (value and all(name in SERVICES for name in value)):
        return "some of " + ", ".join(SERVICES)
    return ""


def _passing_faults(name: str, table: Any, tables: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with how calls are passed on."""
    given = table if isinstance(table, dict) else {}
    others, services = given.get("stand_ins"), given.get("serves")
    faults = [
        _fault(f"{name}.stand_ins", other, "names of other tables of this file")
        for other in (others if isinstance(others, list) else ())
        if isinstance(other, str) and (other not in tables or other == name)
    ]
    chats = isinstance(services, list) and "chat" in services
    if "moderate" in given and not chats:
        faults.append(_fault(f"{name}.moderate", given["moderate"], "nothing, or serves with chat"))
    if given.get("dialect") == "moderations" and services not in (None, ["scores"]):
        faults.append(_fault(f"{name}.serves", services, "scores alone: moderations say no more"))
    return faults


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _contract_faults(name: str, contract: Mapping[str, Any]) -> list[Fault]:
    faults = [
        _fault(f"{name}.contract.{rate}", "nothing", 'an amount such as "0.15"')
        for rate in _RATES[:3]
        if rate not in contract
    ]
    for rate, value in contract.items():
        where = f"{name}.contract.{rate}"
        if rate not in _RATES:
            faults.append(_fault(where, value, "one of " + ", ".join(_RATES)))
        elif _amount(value) is None:
            faults.append(_fault(where, value, 'an amount as a text, such as "0.15"'))
    return faults


def _amount(value: Any) -> Decimal | None:
    """A price; texts only, for a binary fraction is not the price that was agreed."""
    if not isinstance(value, str):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def _fault(field: str, value: Any, expected: str) -> Fault:
    return Fault(field=field, value=repr(value)[:80], expected=expected)


def _deployment(name: str, table: Mapping[str, Any], environment: Mapping[str, str]) -> Deployment:
    values = {
        field: value for field, value in table.items() if field not in ("key_env", "contract")
    }
    for field in ("omit", "serves", "stand_ins"):
        if field in values:
            values[field] = tuple(values[field])
    if table.get("dialect") == HUGGING_FACE:
        values["host"] = LOCAL
    contract = table.get("contract")
    return Deployment(
        name=name,
        key=environment[table["key_env"]] if "key_env" in table else "",
        contract=None
        if contract is None
        else ContractPrice(**{rate: Decimal(value) for rate, value in contract.items()}),
        **values,
    )
