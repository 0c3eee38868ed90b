"""The EU's Transparency Database: every field is checked, and what is exported passes."""

import csv
import dataclasses
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moderation_worlds import Community

from inhouse.core.clock import DAY_MS
from inhouse.core.errors import StoreError
from inhouse.core.ids import ItemId, UserId, new_id
from inhouse.moderation.policy import dsa_terms
from inhouse.moderation.policy.parse import load_policy
from inhouse.moderation.statements.types import REDRESS_MS, Reasons, Statement
from inhouse.moderation.transparency.dsa import FIELDS, Record, faults_of, record_of
from inhouse.moderation.transparency.export import DsaExport, Exported, Wanted

NOW_MS = 1_764_200_000_000  # 2025-11-26


def _good() -> Record:
    return {
        "decision_visibility": ["DECISION_VISIBILITY_CONTENT_DEMOTED"],
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "incompatible_content_ground": "rule 3",
        "incompatible_content_explanation": "no insults",
        "content_type": ["CONTENT_TYPE_TEXT"],
        "category": "STATEMENT_CATEGORY_CYBER_VIOLENCE",
        "content_date": "2025-11-01",
        "application_date": "2025-11-02",
        "decision_facts": "an insult",
        "source_type": "SOURCE_VOLUNTARY",
        "automated_detection": "Yes",
        "automated_decision": "AUTOMATED_DECISION_FULLY",
        "puid": "a-1_B",
    }


def test_there_are_as_many_words_as_the_schema_has() -> None:
    """16 categories, 69 keywords, 30 countries."""
    assert len(dsa_terms.CATEGORIES) == 16
    assert len(dsa_terms.KEYWORDS) == 69
    assert len(dsa_terms.COUNTRIES) == 30


def test_a_record_with_what_is_required_passes() -> None:
    """And so does one with everything that may be added."""
    assert faults_of(_good()) == []
    more: Record = {
        "decision_visibility": ["DECISION_VISIBILITY_OTHER"],
        "decision_visibility_other": "hidden on Mondays",
        "decision_monetary": "DECISION_MONETARY_OTHER",
        "decision_monetary_other": "less",
        "decision_provision": "DECISION_PROVISION_PARTIAL_SUSPENSION",
        "decision_account": "DECISION_ACCOUNT_SUSPENDED",
        "account_type": "ACCOUNT_TYPE_PRIVATE",
        "incompatible_content_illegal": "No",
        "content_type": ["CONTENT_TYPE_OTHER"],
        "content_type_other": "smell",
        "category_addition": ["STATEMENT_CATEGORY_VIOLENCE"],
        "category_specification": ["KEYWORD_OTHER", "KEYWORD_STALKING"],
        "category_specification_other": "something",
        "territorial_scope": ["DE", "NO"],
        "content_language": "EN",
        "content_id": {"EAN-13": "0123456789123"},
        "decision_ground_reference_url": "https://example.org/rules",
        "source_identity": "somebody",
        "end_date_visibility_restriction": "2025-11-02",
    }
    assert faults_of({**_good(), **more}) == []


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("decision_visibility", None, "one of decision_visibility, decision_monetary"),
        ("decision_visibility", "DECISION_VISIBILITY_CONTENT_DEMOTED", "a list of some of"),
        ("decision_visibility", ["DEMOTED"], "a list of some of DECISION_VISIBILITY_CONTENT_AGE"),
        ("decision_monetary", "DECISION_MONETARY_OTHER", "since decision_monetary is"),
        ("decision_provision", "PARTIAL", "one of DECISION_PROVISION_PARTIAL_SUSPENSION"),
        ("decision_account", "", "nothing wrong"),
        ("account_type", "PRIVATE", "one of ACCOUNT_TYPE_BUSINESS, ACCOUNT_TYPE_PRIVATE"),
        ("decision_ground", "DECISION_GROUND_ILLEGAL_CONTENT", "a value, since decision_ground is"),
        ("incompatible_content_ground", "x" * 501, "1 to 500 characters"),
        ("incompatible_content_explanation", "x" * 2001, "1 to 2000 characters"),
        ("incompatible_content_explanation", "   ", "1 to 2000 characters"),
        ("incompatible_content_illegal", "Maybe", "one of No, Yes"),
        ("illegal_content_explanation", "it is", "nothing, since decision_ground is not"),
        ("content_type", [], "a value"),
        ("content_type", ["CONTENT_TYPE_TEXT", "CONTENT_TYPE_TEXT"], "each once"),
        ("content_type_other", "smell", "nothing, since content_type is not CONTENT_TYPE_OTHER"),
        ("category", "CYBER_VIOLENCE", "one of STATEMENT_CATEGORY_ANIMAL_WELFARE"),
        ("category_specification", ["KEYWORD_RUDE"], "a list of some of KEYWORD_ADULT"),
        ("category_specification_other", "x", "nothing, since category_specification is not"),
        ("territorial_scope", ["US"], "a list of some of AT, BE"),
        ("content_language", "english", "two capital letters of ISO 639-1"),
        ("content_id", {"EAN-13": "12"}, '"EAN-13" and 13 digits'),
        ("content_date", "1999-12-31", "2000-01-01 or later"),
        ("content_date", "2025-02-30", "a day as YYYY-MM-DD"),
        ("application_date", "2019-12-31", "2020-01-01 or later"),
        ("application_date", "01.11.2025", "a day as YYYY-MM-DD"),
        ("end_date_visibility_restriction", "2025-11-01", "the application date 2025-11-02 or"),
        ("decision_facts", "x" * 5001, "1 to 5000 characters"),
        ("decision_facts", 7, "1 to 5000 characters"),
        ("source_type", "SOURCE_GOSSIP", "one of SOURCE_ARTICLE_16"),
        ("automated_detection", True, "one of No, Yes"),
        ("automated_decision", "Yes", "one of AUTOMATED_DECISION_FULLY"),
        ("puid", "a b", "1 to 500 of a-z A-Z 0-9 - _"),
        ("puid", "x" * 501, "1 to 500 of a-z A-Z 0-9 - _"),
        ("user_id", "zoe", "no such field"),
    ],
)
def test_every_wrong_field_is_named(field: str, value: object, expected: str) -> None:
    """One wrong value gives faults that say what would have been right."""
    faults = faults_of({**_good(), field: value})
    if expected == "nothing wrong":
        assert faults == []
    else:
        assert any(expected in str(fault) for fault in faults), faults


@pytest.mark.parametrize("field", ["decision_ground", "content_type", "category", "content_date"])
def test_every_required_field_is_asked_for(field: str) -> None:
    """Left out, it is named."""
    record = _good()
    del record[field]
    assert field in {fault.field for fault in faults_of(record)}


KINDS = st.one_of(
    st.sampled_from([("removed",), ("disabled",), ("account_limited",), ("account_suspended",)]),
    st.lists(
        st.sampled_from(["demoted", "age_restricted", "labelled"]), min_size=1, unique=True
    ).map(tuple),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=2_500).map(
    lambda text: "why: " + text
)
DEFAULT = load_policy()


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    """Whatever the code that keeps statements may make."""
    kinds = draw(KINDS)
    category = draw(st.sampled_from([*DEFAULT.categories, "other", "child_abuse"]))
    rights = DEFAULT.rights.of(category)
    account = kinds[0].startswith("account")
    at_ms = draw(st.integers(NOW_MS, NOW_MS + 3_000 * DAY_MS))
    reasons = Reasons(
        facts=draw(TEXT),
        explanation=draw(TEXT),
        ground=rights.ground,
        ground_reference=rights.law or draw(TEXT),
        automated_detection=draw(st.booleans()),
        automated_decision=draw(st.sampled_from(["fully", "partially", "not"])),
        source=draw(st.sampled_from(["own", "report", "notice"])),
        redress="appeal",
        redress_until_ms=at_ms + REDRESS_MS,
        dsa_category=rights.dsa,
        dsa_keyword=rights.keyword,
        content_kind="" if account else draw(st.sampled_from(["text", "picture", "video"])),
        content_ms=draw(st.sampled_from([0, at_ms, at_ms - DAY_MS])),
        language=draw(st.sampled_from([None, "en", "de-AT", "gsw", "", "🦓", "EN"])),
        until_ms=at_ms + 7 * DAY_MS if account else None,
    )
    ended = draw(st.none() | st.integers(0, 400))
    return Statement(
        statement_id=new_id("statement"),
        at_ms=at_ms,
        user_id=UserId("person-zebra"),
        item_id=None if account else ItemId("item-zebra"),
        text_key="0" * 15,
        kinds=kinds,
        category=category,
        decided_by="person:zebra",
        policy_version="p-1",
        reasons=reasons,
        state="in_force" if ended is None else "reversed",
        ended_ms=None if ended is None else at_ms + ended * DAY_MS,
    )


@given(statements())
def test_whatever_is_exported_validates_and_names_nobody(statement: Statement) -> None:
    """Every statement of any kind, category, ground and language fits the schema."""
    record = record_of(statement)
    assert faults_of(record) == []
    assert set(record) <= FIELDS
    told = json.dumps({**record, "decision_facts": "", **dict.fromkeys(_WORDS, "")})
    assert "zebra" not in told


_WORDS = ("incompatible_content_explanation", "incompatible_content_ground")


@pytest.fixture
def community_now(any_community: Community) -> Community:
    """Of today: a removed post, a demoted advertisement, a held one."""
    any_community.clock.advance(NOW_MS)
    any_community.post(bad="hate=0.95", ad="spam=0.9", held="hate=0.7")
    any_community.scan()
    return any_community


def _export(community: Community, path: Path, **wanted: object) -> Exported:
    asked = dataclasses.replace(Wanted(since_ms=0), **wanted)  # type: ignore[arg-type]
    return DsaExport(community.database).write(path, asked, community.clock.now_ms())


def test_an_export_is_the_body_of_a_call_and_is_remembered(
    community_now: Community, tmp_path: Path
) -> None:
    """What was exported is not exported again, unless it is asked for; new statements are."""
    path = tmp_path / "dsa.jsonl"
    first = _export(community_now, path)
    (line,) = path.read_text("utf-8").splitlines()
    records = json.loads(line)["statements"]
    assert first == Exported(statements=2, calls=1, exempt=1, refused=())
    assert [faults_of(record) for record in records] == [[], []]
    assert {tuple(record["decision_visibility"]) for record in records} == {
        ("DECISION_VISIBILITY_CONTENT_REMOVED",),
        ("DECISION_VISIBILITY_CONTENT_DISABLED",),
    }
    assert all(re.fullmatch(r"statement_[0-9a-f]+", record["puid"]) for record in records)
    assert _export(community_now, path).statements == 0
    assert path.read_text("utf-8") == ""
    assert _export(community_now, path, again=True).statements == 2
    assert _export(community_now, path, again=True, since_ms=NOW_MS + 1).statements == 0
    community_now.post(worse="hate=0.99")
    community_now.scan()
    assert _export(community_now, path).statements == 1


def test_more_than_a_hundred_are_several_calls(community: Community, tmp_path: Path) -> None:
    """A line each, none with more than the database takes, each id once."""
    community.clock.advance(NOW_MS)
    community.post(**{f"bad{number}": f"hate=0.95 {number}" for number in range(205)})
    community.scan(1_000)
    path = tmp_path / "dsa.jsonl"
    done = _export(community, path)
    calls = [json.loads(line)["statements"] for line in path.read_text("utf-8").splitlines()]
    assert [len(call) for call in calls] == [100, 100, 5]
    assert len({record["puid"] for call in calls for record in call}) == 205
    assert (done.statements, done.calls) == (205, 3)


def test_a_csv_file_has_a_column_a_field(community_now: Community, tmp_path: Path) -> None:
    """RFC 4180: a header, CR LF, as many cells in each line."""
    path = tmp_path / "dsa.csv"
    _export(community_now, path, format="csv")
    text = path.read_bytes().decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert text.count("\r\n") == 3
    assert {len(row) for row in rows} == {len(FIELDS)}
    assert set(rows[0]) == FIELDS


def test_what_does_not_fit_is_named_and_stays_unexported(
    community: Community, tmp_path: Path
) -> None:
    """A decision from before the database existed: a clock that stood wrong."""
    community.post(bad="hate=0.95")
    community.scan()
    done = _export(community, tmp_path / "dsa.jsonl")
    assert (done.statements, len(done.refused)) == (0, 1)
    assert "application_date: got '1970-01-01', expected 2020-01-01 or later" in done.refused[0]


def test_a_file_that_cannot_be_written_leaves_nothing_marked(
    community_now: Community, tmp_path: Path
) -> None:
    """The next export has everything."""
    with pytest.raises(StoreError, match=r"cannot write .*; choose a folder"):
        _export(community_now, tmp_path / "no" / "dsa.jsonl")
    assert _export(community_now, tmp_path / "dsa.jsonl").statements == 2
