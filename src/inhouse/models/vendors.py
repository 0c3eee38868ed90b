"""The file that lists the rented models, `vendors.toml`: one table a deployment.

    [main]
    dialect = "openai"             # openai, moderations or azure
    url = "https://api.openai.com/v1"
    model = "gpt-5-nano"
    host = "openai"                # who runs it
    owner = "openai"               # who made the model
    key_env = "OPENAI_API_KEY"     # the variable that holds the key, never the key itself
    terms = "openai"               # under which its answers came; `inhouse models terms` lists them
    keep_calls = true              # calls passed on may be kept to learn from, if their key agrees
    omit = ["temperature"]         # fields of the request that this model refuses
    serves = ["scores", "chat"]    # scores: judging our tasks; chat, embeddings: calls passed on
    moderate = "text_harm"         # chats are judged by that task's owned model, both ways
    stand_ins = ["other"]          # asked in turn where a call cannot be passed on to this one
    cache_s = 300                  # keep answers so long: embeddings, chats at temperature 0
    cache_any = false              # or those too that depend on chance
    pictures = true                # dialect moderations: pictures of moderation calls are sent, too
    retires = 2026-12-31           # the vendor's last day for this model, where it is known

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
choice and may be private. Terms that are not named are the vendor's, where it is known whose they
are, else unknown. The file need not exist: then nothing is rented.
"""

import tomllib
from collections.abc import Mapping, Set
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from inhouse.core.errors import Fault, SettingError
from inhouse.core.faults import refuse_toml
from inhouse.core.ids import ID_RULE, is_valid_id
from inhouse.models.harvest.terms import SIMULATED, default_terms, full_name, hint
from inhouse.models.ledger.prices import MOST_PRICE_CHARS, plainly
from inhouse.models.tasks import TASKS, judging
from inhouse.models.types import (
    DIALECTS,
    HUGGING_FACE,
    INHOUSE,
    LOCAL,
    OURS,
    SERVICES,
    ContractPrice,
    Deployment,
    Task,
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
    "cache_s": int,
    "cache_any": bool,
    "moderate": str,
    "terms": str,
    "harvest": bool,
    "simulated": bool,
    "keep_calls": bool,
    "pictures": bool,
    "retires": date,
}
_REQUIRED: Final = ("url", "model", "host", "owner")
_REQUIRED_HERE: Final = ("model", "owner", "labels")  # of a model that this machine runs
_RENTED: Final = ("url", "host", "key_env", "api_version", "omit", "price_as", "contract", "serves")
_NOT_HERE: Final = frozenset(
    (*_RENTED, "stand_ins", "retires", "keep_calls", "cache_s", "cache_any", "moderate", "pictures")
)
_ONLY_ELSEWHERE: Final = {
    True: "the model runs on this machine",
    False: "only the dialect hugging_face maps labels",
}
_RATES: Final = ("in_usd_per_mtok", "cached_usd_per_mtok", "out_usd_per_mtok", "request_usd")
_AN_AMOUNT: Final = f'an amount as a text, such as "0.15", of at most {MOST_PRICE_CHARS} characters'
_LONGEST: Final = {"host": 64, "owner": 64, "model": 96, "name": 96}
_MOST_BATCH: Final = 256
_MOST_CACHE_S: Final = 7 * 86_400


def read_vendors(
    path: Path, environment: Mapping[str, str], tasks: Mapping[str, Task] = TASKS
) -> list[Deployment]:
    """The deployments of the file, in its order; none where it does not exist.

    tasks: those there are; labels are mapped to their categories, and a task of words or vectors
    may stand in for a deployment. Raises SettingError that lists every fault at once.
    """
    text, tables = read_tables(path)
    answering = {name for name, task in tasks.items() if not task.judges}
    faults: list[Fault] = []
    for name, table in tables.items():
        faults.extend(_faults(name, table, environment))
        faults.extend(_task_faults(name, table, tasks))
        faults.extend(_passing_faults(name, table, answering | tables.keys()))
        if name in answering:
            faults.append(_fault(f"[{name}]", name, "another name than that of a task"))
    if faults:
        raise refuse_toml(str(path), text, faults)
    return [_deployment(name, table, environment) for name, table in tables.items()]


def read_tables(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file and its tables, unchecked; none where it does not exist. Raises
    SettingError."""
    if not path.exists():
        return "", {}
    try:
        text = path.read_text("utf-8")
        return text, tomllib.loads(text)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"cannot read {path}: {error}; mend the line") from None


def _faults(name: str, table: Any, environment: Mapping[str, str]) -> list[Fault]:
    if not isinstance(table, dict):
        return [_fault(name, table, "a table of settings for one deployment")]
    if name in OURS or not is_valid_id(name) or len(name) > _LONGEST["name"]:
        expected = f"another name than {' and '.join(map(repr, sorted(OURS)))}, {ID_RULE}"
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
    if field == "cache_s" and not 1 <= value <= _MOST_CACHE_S:
        return f"1 to {_MOST_CACHE_S} seconds; leave it out to keep nothing"
    if field == "terms" and full_name(value) is None:
        return hint(value)
    if field in ("omit", "stand_ins") and not all(isinstance(name, str) for name in value):
        return "a list of names"
    if field == "serves" and not (value and all(name in SERVICES for name in value)):
        return "some of " + ", ".join(SERVICES)
    return ""


def _task_faults(name: str, table: Any, tasks: Mapping[str, Task]) -> list[Fault]:
    """What names a task, or a category, that there is not."""
    given = table if isinstance(table, dict) else {}
    labels, judge = given.get("labels"), given.get("moderate")
    categories = {category for task in tasks.values() for category in task.categories}
    faults = []
    if isinstance(labels, dict) and not all(str(one) in categories for one in labels.values()):
        expected = "labels of the checkpoint, each with one of " + ", ".join(sorted(categories))
        faults.append(_fault(f"{name}.labels", labels, expected))
    judges = [task.name for task in judging(tasks)]
    if isinstance(judge, str) and judge not in judges:
        faults.append(_fault(f"{name}.moderate", judge, "one of " + ", ".join(judges)))
    return faults


def _passing_faults(name: str, table: Any, known: Set[str]) -> list[Fault]:
    """What is wrong with how calls are passed on."""
    given = table if isinstance(table, dict) else {}
    others, services = given.get("stand_ins"), given.get("serves")
    faults = [
        _fault(f"{name}.stand_ins", other, "names of other tables of this file")
        for other in (others if isinstance(others, list) else ())
        if isinstance(other, str) and (other not in known or other == name)
    ]
    if "cache_s" in given and given.get("harvest") is False:
        expected = "nothing: harvest = false says that its answers are not to be kept"
        faults.append(_fault(f"{name}.cache_s", given["cache_s"], expected))
    chats = isinstance(services, list) and "chat" in services
    if "moderate" in given and not chats:
        faults.append(_fault(f"{name}.moderate", given["moderate"], "nothing, or serves with chat"))
    if given.get("dialect") == "moderations" and services not in (None, ["scores"]):
        faults.append(_fault(f"{name}.serves", services, "scores alone: moderations say no more"))
    if given.get("pictures") is True and given.get("dialect") != "moderations":
        expected = "nothing: only the dialect moderations is asked about pictures"
        faults.append(_fault(f"{name}.pictures", True, expected))
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
            faults.append(_fault(where, value, _AN_AMOUNT))
    return faults


def _amount(value: Any) -> Decimal | None:
    """A price; texts only, for a binary fraction is not the price that was agreed."""
    if not isinstance(value, str):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    if not amount.is_finite() or amount < 0 or amount.adjusted() > MOST_PRICE_CHARS:
        return None
    return amount if len(plainly(amount)) <= MOST_PRICE_CHARS else None


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
    given = table.get("terms") or (SIMULATED if table.get("simulated") else "")
    values["terms"] = full_name(given) or default_terms(values["host"], values["owner"])
    contract = table.get("contract")
    return Deployment(
        name=name,
        key=environment[table["key_env"]] if "key_env" in table else "",
        contract=None
        if contract is None
        else ContractPrice(**{rate: Decimal(value) for rate, value in contract.items()}),
        **values,
    )
