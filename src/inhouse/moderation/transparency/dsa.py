"""A statement as the EU's Transparency Database takes it, and the check of every field: pure.

The schema is that of `POST /api/v1/statement` (Art. 24(5) DSA) since 1 July 2025. A record holds no
personal data: no ids of people or posts, no names, none of the post's words.
"""

import datetime
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from inhouse.core.errors import Fault
from inhouse.moderation.policy import dsa_terms as terms
from inhouse.moderation.statements.types import Automated, Kind, Source, Statement

Record = dict[str, object]

_VISIBILITY: Final[Mapping[Kind, str]] = {
    "removed": "DECISION_VISIBILITY_CONTENT_REMOVED",
    "disabled": "DECISION_VISIBILITY_CONTENT_DISABLED",
    "demoted": "DECISION_VISIBILITY_CONTENT_DEMOTED",
    "age_restricted": "DECISION_VISIBILITY_CONTENT_AGE_RESTRICTED",
    "labelled": "DECISION_VISIBILITY_CONTENT_LABELLED",
}
_CONTENT: Final = {
    "text": "CONTENT_TYPE_TEXT",
    "picture": "CONTENT_TYPE_IMAGE",
    "video": "CONTENT_TYPE_VIDEO",
}
_SOURCES: Final[Mapping[Source, str]] = {
    "own": "SOURCE_VOLUNTARY",
    "report": "SOURCE_TYPE_OTHER_NOTIFICATION",
    "notice": "SOURCE_ARTICLE_16",
}
_AUTOMATED: Final[Mapping[Automated, str]] = {
    "fully": "AUTOMATED_DECISION_FULLY",
    "partially": "AUTOMATED_DECISION_PARTIALLY",
    "not": "AUTOMATED_DECISION_NOT_AUTOMATED",
}
_MOST_GROUND: Final = 500
_MOST_EXPLANATION: Final = 2_000
_MOST_FACTS: Final = 5_000
_FIRST_CONTENT_DAY: Final = "2000-01-01"
_FIRST_DECISION_DAY: Final = "2020-01-01"


def record_of(statement: Statement) -> Record:
    """The record of a statement."""
    reasons = statement.reasons
    illegal = reasons.ground == "illegal"
    ground, about = ("illegal_content_legal_ground", "illegal_content_explanation")
    if not illegal:
        ground, about = ("incompatible_content_ground", "incompatible_content_explanation")
    content = _CONTENT.get(reasons.content_kind, "CONTENT_TYPE_OTHER")
    record: Record = {
        **_decision(statement),
        "decision_ground": terms.ILLEGAL if illegal else terms.INCOMPATIBLE,
        ground: reasons.ground_reference[:_MOST_GROUND],
        about: reasons.explanation[:_MOST_EXPLANATION],
        "content_type": [content],
        "category": terms.full(terms.CATEGORY, reasons.dsa_category),
        "territorial_scope": sorted(terms.COUNTRIES),
        "content_date": _content_day(statement),
        "application_date": _day(statement.at_ms),
        "decision_facts": reasons.facts[:_MOST_FACTS],
        "source_type": _SOURCES[reasons.source],
        "automated_detection": "Yes" if reasons.automated_detection else "No",
        "automated_decision": _AUTOMATED[reasons.automated_decision],
        "puid": statement.statement_id,
    }
    if not illegal:
        record["incompatible_content_illegal"] = "No"
    if content == "CONTENT_TYPE_OTHER":
        record["content_type_other"] = "account"
    if reasons.dsa_keyword is not None:
        record["category_specification"] = [terms.full(terms.KEYWORD, reasons.dsa_keyword)]
    language = (reasons.language or "").partition("-")[0].upper()
    if _LANGUAGE.fullmatch(language):
        record["content_language"] = language
    return record


def _decision(statement: Statement) -> Record:
    """What was restricted, and where that is over or will be, since or until when."""
    if "account_suspended" in statement.kinds:
        decided: Record = {"decision_account": "DECISION_ACCOUNT_SUSPENDED"}
        what = "account"
    elif "account_limited" in statement.kinds:
        decided = {"decision_provision": "DECISION_PROVISION_PARTIAL_SUSPENSION"}
        what = "service"
    else:
        decided = {"decision_visibility": [_VISIBILITY[kind] for kind in statement.kinds]}
        what = "visibility"
    until_ms = statement.ended_ms or statement.reasons.until_ms
    if until_ms is not None:
        decided[f"end_date_{what}_restriction"] = _day(max(until_ms, statement.at_ms))
    return decided


def _content_day(statement: Statement) -> str:
    """When the post was made; where that is not known, or cannot be, when it was restricted."""
    day = _day(max(0, statement.reasons.content_ms))
    return day if day >= _FIRST_CONTENT_DAY else _day(statement.at_ms)


def _day(at_ms: int) -> str:
    return datetime.datetime.fromtimestamp(at_ms / 1_000, datetime.UTC).strftime("%Y-%m-%d")


# -- the check -------------------------------------------------------------------------------------

_LANGUAGE: Final = re.compile(r"[A-Z]{2}")
_PUID: Final = re.compile(r"[a-zA-Z0-9\-_]{1,500}")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_EAN: Final = re.compile(r"\d{13}")
_DECISIONS: Final = (
    "decision_visibility",
    "decision_monetary",
    "decision_provision",
    "decision_account",
)
_ONE_OF: Final[Mapping[str, Collection[str]]] = {
    "decision_monetary": terms.MONETARIES,
    "decision_provision": terms.PROVISIONS,
    "decision_account": terms.ACCOUNTS,
    "account_type": terms.ACCOUNT_TYPES,
    "decision_ground": terms.GROUNDS,
    "incompatible_content_illegal": terms.YES_NO,
    "category": {terms.full(terms.CATEGORY, name) for name in terms.CATEGORIES},
    "source_type": terms.SOURCES,
    "automated_detection": terms.YES_NO,
    "automated_decision": terms.AUTOMATED_DECISIONS,
}
_SOME_OF: Final[Mapping[str, Collection[str]]] = {
    "decision_visibility": terms.VISIBILITIES,
    "content_type": terms.CONTENT_TYPES,
    "category_addition": {terms.full(terms.CATEGORY, name) for name in terms.CATEGORIES},
    "category_specification": {terms.full(terms.KEYWORD, name) for name in terms.KEYWORDS},
    "territorial_scope": terms.COUNTRIES,
}
_TEXTS: Final[Mapping[str, int]] = {
    "decision_visibility_other": 500,
    "decision_monetary_other": 500,
    "decision_ground_reference_url": 500,
    "illegal_content_legal_ground": _MOST_GROUND,
    "illegal_content_explanation": _MOST_EXPLANATION,
    "incompatible_content_ground": _MOST_GROUND,
    "incompatible_content_explanation": _MOST_EXPLANATION,
    "content_type_other": 500,
    "category_specification_other": 500,
    "decision_facts": _MOST_FACTS,
    "source_identity": 500,
}
_ENDS: Final = tuple(
    f"end_date_{what}_restriction" for what in ("visibility", "monetary", "service", "account")
)
_DAYS: Final = ("content_date", "application_date", *_ENDS)
_REQUIRED: Final = (
    *("decision_ground", "content_type", "category", "content_date", "application_date"),
    *("decision_facts", "source_type", "automated_detection", "automated_decision", "puid"),
)
# A field that is asked for by the value of another, and refused without it.
_WITH: Final = (
    ("decision_visibility_other", "decision_visibility", "DECISION_VISIBILITY_OTHER", True),
    ("decision_monetary_other", "decision_monetary", "DECISION_MONETARY_OTHER", True),
    ("illegal_content_legal_ground", "decision_ground", terms.ILLEGAL, True),
    ("illegal_content_explanation", "decision_ground", terms.ILLEGAL, True),
    ("incompatible_content_ground", "decision_ground", terms.INCOMPATIBLE, True),
    ("incompatible_content_explanation", "decision_ground", terms.INCOMPATIBLE, True),
    ("incompatible_content_illegal", "decision_ground", terms.INCOMPATIBLE, False),
    ("content_type_other", "content_type", "CONTENT_TYPE_OTHER", True),
    ("category_specification_other", "category_specification", "KEYWORD_OTHER", False),
)
FIELDS: Final = frozenset(
    (*_ONE_OF, *_SOME_OF, *_TEXTS, *_DAYS, "content_language", "content_id", "puid")
)


def faults_of(record: Mapping[str, object]) -> list[Fault]:
    """Everything the database would refuse in a record; nothing where it would take it."""
    faults = [_fault(name, record[name], "no such field") for name in record if name not in FIELDS]
    faults += [_fault(name, None, "a value") for name in _REQUIRED if _absent(record, name)]
    if all(_absent(record, name) for name in _DECISIONS):
        faults.append(_fault("decision_visibility", None, f"one of {', '.join(_DECISIONS)}"))
    faults += _of_lists(record)
    faults += _of_texts(record)
    faults += _of_days(record)
    for name, other, value, needed in _WITH:
        faults += _of_pair(record, name, (other, value, needed))
    return faults


def _of_lists(record: Mapping[str, object]) -> list[Fault]:
    faults = []
    for name, known in _ONE_OF.items():
        if not _absent(record, name) and not _is_in(record[name], known):
            faults.append(_fault(name, record[name], f"one of {', '.join(sorted(known))}"))
    for name, known in _SOME_OF.items():
        given = record.get(name)
        if _absent(record, name):
            continue
        if not isinstance(given, list) or not given or not all(_is_in(one, known) for one in given):
            faults.append(_fault(name, given, f"a list of some of {', '.join(sorted(known))}"))
        elif len(set(given)) < len(given):
            faults.append(_fault(name, given, "each once"))
    return faults


def _of_texts(record: Mapping[str, object]) -> list[Fault]:
    faults = []
    for name, most in _TEXTS.items():
        given = record.get(name)
        if given is None:
            continue
        if not isinstance(given, str) or not given.strip() or len(given) > most:
            faults.append(_fault(name, given, f"1 to {most} characters"))
    puid = record.get("puid")
    if puid is not None and not (isinstance(puid, str) and _PUID.fullmatch(puid)):
        faults.append(_fault("puid", puid, "1 to 500 of a-z A-Z 0-9 - _"))
    language = record.get("content_language")
    if language is not None and not (isinstance(language, str) and _LANGUAGE.fullmatch(language)):
        faults.append(_fault("content_language", language, "two capital letters of ISO 639-1"))
    return faults + _of_content_id(record.get("content_id"))


def _of_content_id(given: object) -> list[Fault]:
    if given is None:
        return []
    if isinstance(given, dict) and set(given) == {"EAN-13"}:
        code = given["EAN-13"]
        if isinstance(code, str) and _EAN.fullmatch(code):
            return []
    return [_fault("content_id", given, 'an object with "EAN-13" and 13 digits')]


def _of_days(record: Mapping[str, object]) -> list[Fault]:
    first = {"content_date": _FIRST_CONTENT_DAY, "application_date": _FIRST_DECISION_DAY}
    faults = []
    for name in _DAYS:
        given = record.get(name)
        if given is None:
            continue
        if not _is_day(given):
            faults.append(_fault(name, given, "a day as YYYY-MM-DD"))
        elif str(given) < first.get(name, ""):
            faults.append(_fault(name, given, f"{first[name]} or later"))
    begins = record.get("application_date")
    for name in _ENDS:
        ends = record.get(name)
        if _is_day(ends) and _is_day(begins) and str(ends) < str(begins):
            faults.append(_fault(name, ends, f"the application date {begins} or later"))
    return faults


def _of_pair(record: Mapping[str, object], name: str, on: tuple[str, str, bool]) -> list[Fault]:
    other, value, needed = on
    given = record.get(other)
    asked = value in given if isinstance(given, list) else given == value
    if asked and needed and _absent(record, name):
        return [_fault(name, None, f"a value, since {other} is {value}")]
    if not asked and not _absent(record, name):
        return [_fault(name, record[name], f"nothing, since {other} is not {value}")]
    return []


def _is_in(value: object, known: Collection[str]) -> bool:
    return isinstance(value, str) and value in known


def _is_day(value: object) -> bool:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return False
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _absent(record: Mapping[str, object], name: str) -> bool:
    return record.get(name) in (None, "", [])


def _fault(name: str, given: object, expected: str) -> Fault:
    return Fault(field=name, value=repr(given)[:80], expected=expected)


def row_of(record: Mapping[str, object], columns: Sequence[str]) -> list[str]:
    """A record as a line of CSV: lists with a semicolon between their elements."""
    cells = []
    for name in columns:
        value = record.get(name)
        cells.append(";".join(value) if isinstance(value, list) else str(value or ""))
    return cells
