"""Pictures of moderation calls: held against the banks, refused where they cannot be, sealed."""

import base64
import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import openai
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from tests.api.wire_world import CALM, HATE, own_a_model, running

from inhouse.api.openai.categories import CATEGORIES
from inhouse.api.server import create_app
from inhouse.app.build import Services
from inhouse.app.keys import SCOPES
from inhouse.app.settings import load_settings
from inhouse.models.harvest.labels import Labels
from inhouse.moderation.media.asked import MOST_WAITING
from inhouse.moderation.media.fetch import SystemNet
from inhouse.moderation.media.types import BankSpec
from inhouse.moderation.recording.audit import AuditFilter
from inhouse.moderation.recording.audited import check_verdicts
from inhouse.moderation.transparency.period import Period, report_of
from inhouse.moderation.types import CHILD_ABUSE
from inhouse.store import tables

sys.path.insert(0, str(Path(__file__).parent.parent / "moderation"))
from media_worlds import clip_of, file_of, hash_of, picture

PATH = "/openai/v1/moderations"
KNOWN, OTHER = picture(1), picture(2)
HERE = "http://pictures.example"
PATIENCE_S = 30.0


class _Host(BaseHTTPRequestHandler):
    files: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        body = self.files.get(self.path)
        if self.path == "/moved.png":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1/secret.png")
            self.end_headers()
            return
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def hosted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A host of pictures behind a public address; the hosts that were looked up."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Host)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    looked_up: list[str] = []

    def addresses(_: SystemNet, host: str, port: int, timeout_s: float) -> Sequence[str]:
        looked_up.append(host)
        return {"inside.example": ["10.0.0.7"], "127.0.0.1": [host]}.get(host, ["93.184.216.34"])

    def connect(_: SystemNet, address: str, port: int, timeout_s: float) -> socket.socket:
        return socket.create_connection(("127.0.0.1", server.server_port), timeout_s)

    monkeypatch.setattr(SystemNet, "addresses", addresses)
    monkeypatch.setattr(SystemNet, "connect", connect)
    try:
        yield looked_up
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The hosts that were looked up, while known and other pictures are there to be fetched."""
    _Host.files = {
        "/known.jpg": file_of(KNOWN, "JPEG", quality=80),
        "/other.png": file_of(OTHER),
        "/words.html": b"<html>no picture</html>",
        "/torn.png": file_of(OTHER)[:300],
        "/empty.png": b"",
    }
    with hosted(monkeypatch) as looked_up:
        yield looked_up


def _bank(services: Services, name: str, category: str, *shown: Any, p: float = 0.9) -> None:
    services.hash_banks.create(BankSpec(name=name, category=category, p=p), 1)
    lines = "\n".join(hash_of(pixels).bits.hex() for pixels in shown)
    services.hash_banks.add(name, lines or "0" * 64, 1)


def _part(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def _data(file: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"


def _applied(result: dict[str, Any]) -> dict[str, list[str]]:
    return {name: kinds for name, kinds in result["category_applied_input_types"].items() if kinds}


@pytest.mark.usefixtures("web")
def test_a_known_picture_is_flagged_for_the_official_client(services: Services) -> None:
    """By address and inline, beside words: the bank's category with its probability, and which
    kinds of input each score is of."""
    own_a_model(services)
    _bank(services, "war", "violence", KNOWN)
    _, secret = services.keys.create("moving", ["models"])
    text: dict[str, Any] = {"type": "text", "text": HATE}
    with (
        running(services) as address,
        openai.OpenAI(base_url=f"{address}/openai/v1", api_key=secret, max_retries=0) as client,
    ):
        asked = [
            client.moderations.create(input=given)  # type: ignore[arg-type]
            for given in (
                [text, _part(f"{HERE}/known.jpg")],
                [_part(_data(file_of(KNOWN)))],
                [_part(f"{HERE}/other.png")],
                [_part(f"{HERE}/other.png"), _part(f"{HERE}/known.jpg")],
            )
        ]
    both, inline, other, two = (one.results[0] for one in asked)

    assert [len(one.results) for one in asked] == [1, 1, 1, 1]
    assert (both.flagged, both.categories.hate, both.categories.violence) == (True, True, True)
    assert both.category_scores.violence == 0.9
    assert both.category_applied_input_types.violence == ["image"]
    assert both.category_applied_input_types.hate == ["text"]
    assert (inline.flagged, inline.category_scores.violence) == (True, 0.9)
    assert (other.flagged, other.category_scores.violence) == (False, 0.0)
    assert other.category_applied_input_types.violence == ["image"]
    assert (two.flagged, two.category_scores.violence) == (True, 0.9)
    assert [one.model for one in asked[1:]] == ["hash-banks"] * 3


@pytest.mark.usefixtures("web")
def test_what_was_looked_for_is_told_and_nothing_else(
    client: TestClient, services: Services
) -> None:
    """Two banks, one of a category without a place in the format: the types name the other alone,
    whether it knows the picture or not; a bank at rest looks for nothing."""
    _bank(services, "war", "violence", KNOWN, p=0.4)
    _bank(services, "adverts", "spam", OTHER)
    answers = [
        client.post(PATH, json={"input": [_part(f"{HERE}/{name}")]}).json()
        for name in ("known.jpg", "other.png")
    ]
    results = [answer["results"][0] for answer in answers]

    assert [_applied(result) for result in results] == [{"violence": ["image"]}] * 2
    assert [result["category_scores"]["violence"] for result in results] == [0.4, 0.0]
    assert [result["flagged"] for result in results] == [False, False]
    assert set(results[0]["categories"]) == set(CATEGORIES)


@pytest.mark.parametrize(
    ("url", "code", "reason"),
    [
        (f"{HERE}/none.png", "failed_to_download_image", "the host answered 404"),
        ("http://inside.example/a.png", "failed_to_download_image", "the host is not on the open "),
        (f"{HERE}/moved.png", "failed_to_download_image", "the host is not on the open internet"),
        (f"{HERE}:22/a.png", "invalid_image_url", "the address names a port that no media"),
        (f"{HERE}/empty.png", "empty_image_file", "the file is empty"),
        (f"{HERE}/words.html", "unsupported_image_media_type", "expected JPEG, PNG"),
        (f"{HERE}/torn.png", "image_parse_error", "not readable: "),
        ("data:image/png;base64,", "empty_image_file", "the file is empty"),
        ("data:image/png;base64,@@@@", "invalid_base64_image", "what follows is not base64"),
        ("data:image/png;base64,שלום", "invalid_base64_image", "what follows is not base64"),
        (_data(b"BM" + bytes(90)), "image_parse_error", "not readable: "),
        (_data(clip_of([OTHER[:64, :64]])), "unsupported_image_media_type", "expected JPEG, PNG"),
        ("data:image/svg+xml,<svg/>", "invalid_image_url", "expected an address with http"),
        ("data:text/html;base64,AAAA", "invalid_image_url", "expected an address with http"),
    ],
)
def test_a_picture_that_cannot_be_looked_at_is_refused(
    client: TestClient, services: Services, web: list[str], url: str, code: str, reason: str
) -> None:
    """The call is refused with the code that OpenAI has for it, and names the part."""
    _bank(services, "war", "violence", KNOWN)
    web.clear()
    given = [{"type": "text", "text": "x"}, _part(url)]
    response = client.post(PATH, json={"input": given})
    error = response.json()["error"]

    assert response.status_code == 400
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert error["param"] == "input[1].image_url.url"
    assert reason in error["message"]


def test_a_picture_larger_than_the_bound_is_not_fetched_whole(
    client: TestClient, services: Services, web: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither fetched past the bound nor decoded past it."""
    _bank(services, "war", "violence", KNOWN)
    monkeypatch.setattr("inhouse.moderation.media.asked.MOST_BYTES", 2_000)
    codes = [
        client.post(PATH, json={"input": [_part(url)]}).json()["error"]["code"]
        for url in (f"{HERE}/other.png", _data(bytes(3_000)))
    ]

    assert codes == ["failed_to_download_image", "image_file_too_large"]
    assert web == ["pictures.example"]


def test_pictures_are_never_fetched_where_the_setting_says_so(
    tmp_path: Path, web: list[str]
) -> None:
    """`never` holds for calls too: nothing is fetched, and the types say that nobody looked."""
    folder = {"INHOUSE_STORE_FOLDER": str(tmp_path / "data"), "INHOUSE_MODERATION_MEDIA": "never"}
    services = Services(load_settings(folder, tmp_path / "none.toml"))
    _bank(services, "war", "violence", KNOWN)
    _, secret = services.keys.create("tests", SCOPES)
    with TestClient(create_app(services)) as client:
        client.headers["authorization"] = f"Bearer {secret}"
        answer = client.post(PATH, json={"input": [_part(f"{HERE}/known.jpg")]}).json()
    services.close()

    assert (answer["results"][0]["flagged"], _applied(answer["results"][0])) == (False, {})
    assert (answer["model"], web) == ("term-banks", [])


def test_more_pictures_than_can_wait_are_sent_back(
    client: TestClient, services: Services, web: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """429, and the places are free again after a call that failed."""
    _bank(services, "war", "violence", KNOWN)
    monkeypatch.setattr("inhouse.moderation.media.asked.MOST_WAITING", 1)
    given = {"input": [_part(f"{HERE}/other.png")] * 2}
    busy = client.post(PATH, json=given)
    monkeypatch.undo()
    assert MOST_WAITING == 64
    with hosted(monkeypatch):
        failed = client.post(PATH, json={"input": [_part(f"{HERE}/none.png")] * 9})

    assert (busy.status_code, busy.headers["retry-after"]) == (429, "1")
    assert failed.status_code == 400
    assert services.picture_judge._waiting == 0


class _Vendor(BaseHTTPRequestHandler):
    """Says of a picture that it is violent, of a text that it is not, and refuses what it cannot
    fetch."""

    asked: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        (given,) = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        self.asked.append(given)
        kind = "text" if isinstance(given, str) else "image"
        gone = kind == "image" and given["image_url"]["url"].endswith("none.png")
        scores = {"violence": 0.8 if kind == "image" else 0.1, "hate": 0.3}
        types = {"violence": [kind], "hate": ["text"]}
        result = {"category_scores": scores, "category_applied_input_types": types}
        body = json.dumps({"results": [result]}).encode()
        self.send_response(400 if gone else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[list[Any]]:
    """What a rented moderations endpoint that takes pictures was asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Vendor)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    _Vendor.asked.clear()
    (tmp_path / "vendors.toml").write_text(f"""
[rented]
dialect = "moderations"
url = "http://127.0.0.1:{server.server_port}/v1"
model = "omni"
host = "openai"
owner = "openai"
pictures = true
""")
    yield _Vendor.asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_rented_model_that_takes_pictures_is_asked_about_them(
    vendor: list[Any], client: TestClient, services: Services, web: list[str]
) -> None:
    """The address as it was given, nothing fetched here without a bank; the types tell whose words
    and whose pictures were looked at, and nothing of it becomes a label."""
    given = [{"type": "text", "text": CALM}, _part(f"{HERE}/any.png")]
    response = client.post(PATH, json={"input": given})
    (result,) = response.json()["results"]
    refused = client.post(PATH, json={"input": [_part(f"{HERE}/none.png")]})

    assert [one for one in vendor if not isinstance(one, str)] == [
        _part(f"{HERE}/any.png"),
        _part(f"{HERE}/none.png"),
    ]
    assert response.json()["model"] == "openai/omni"
    assert (result["flagged"], result["category_scores"]["violence"]) == (True, 0.8)
    assert _applied(result) == {"hate": ["text"], "violence": ["text", "image"]}
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_image")
    assert web == []
    until_s = time.monotonic() + PATIENCE_S
    while not (counts := Labels(services.database).counts("text_harm")):
        assert time.monotonic() < until_s
        time.sleep(0.02)
    assert counts == {"openai/openai/omni": 1}


@pytest.mark.usefixtures("web")
def test_no_vendor_hears_of_a_picture_that_is_sealed(
    vendor: list[Any], client: TestClient, services: Services
) -> None:
    """Neither of it nor of the words and the other pictures beside it; of what no bank seals it
    does, and the higher of both counts."""
    _bank(services, "partner", CHILD_ABUSE, KNOWN, p=1.0)
    _bank(services, "war", "violence", OTHER, p=0.9)
    words = {"type": "text", "text": CALM}
    known, other = (_part(f"{HERE}/{name}") for name in ("known.jpg", "other.png"))
    sealed = client.post(PATH, json={"input": [words, other, known]}).json()["results"][0]
    before = list(vendor)
    open_ = client.post(PATH, json={"input": [words, other]}).json()["results"][0]

    assert (before, sealed["categories"]["sexual/minors"]) == ([], True)
    assert sorted(map(str, vendor)) == sorted(map(str, (CALM, other)))
    assert open_["category_scores"]["violence"] == 0.9
    assert open_["categories"]["sexual/minors"] is False


SECRET = "the zebra words"


@pytest.mark.usefixtures("web")
def test_a_picture_of_a_sealed_bank_seals_what_the_call_held(
    client: TestClient,
    services: Services,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The caller is told, no model is; words and picture lie in the vault alone, the operator has a
    duty, the record has a row, and no log has a word of it."""
    own_a_model(services)
    _bank(services, "partner", CHILD_ABUSE, KNOWN, p=1.0)
    _bank(services, "war", "violence", OTHER)
    inline = _data(file_of(KNOWN))
    given = [{"type": "text", "text": f"{SECRET} {HATE}"}, _part(inline)]
    with caplog.at_level(logging.DEBUG):
        answers = [client.post(PATH, json={"input": given}) for _ in range(2)]
    result = answers[0].json()["results"][0]
    (sealed,) = services.sealed.list()
    opened = json.loads(services.sealed.open(sealed.item_id, "ada", "CyberTipline report"))
    (key,) = services.keys.list()

    assert [one.status_code for one in answers] == [200, 200]
    assert answers[0].json()["model"] == "hash-banks"
    assert {name for name, flag in result["categories"].items() if flag} == {"sexual/minors"}
    assert result["category_scores"]["sexual/minors"] == 1.0
    assert _applied(result) == {"sexual/minors": ["image"], "violence": ["image"]}
    assert (sealed.source, sealed.is_due, sealed.item_id[:5]) == ("hashes:partner", True, "call,")
    assert (opened["text"], opened["address"]) == (f"{SECRET} {HATE}", inline)
    assert (opened["key_id"], opened["source"]) == (key.key_id, "hashes:partner")
    seen = [row.details for row in services.audit.rows(AuditFilter(what="sighting"))]
    assert [dict(row or {}) for row in seen] == [
        {"source": "hashes:partner", "again": False},
        {"source": "hashes:partner", "again": True},
    ]
    told = capsys.readouterr()
    assert not any(
        secret in place
        for secret in (SECRET, inline[30:90], opened["sha256"])
        for place in (caplog.text, told.out, told.err)
    )
    assert _everywhere(services, SECRET) == []
    assert check_verdicts(services.database).fault is None
    assert services.audit.check().fault is None
    assert report_of(services.database, Period(from_ms=0, until_ms=1 << 52)).sealed == 0


@pytest.mark.usefixtures("web")
def test_a_picture_that_cannot_be_read_hides_no_sealed_one(
    client: TestClient, services: Services
) -> None:
    """Whichever comes first: the call is answered with what is sealed, and it is sealed; without
    such a one the fault is told."""
    _bank(services, "partner", CHILD_ABUSE, KNOWN, p=1.0)
    known, torn = _part(f"{HERE}/known.jpg"), _part(f"{HERE}/torn.png")
    answers = [client.post(PATH, json={"input": given}) for given in ([known, torn], [torn, known])]
    alone = client.post(PATH, json={"input": [torn]})

    assert [one.status_code for one in answers] == [200, 200]
    assert all(one.json()["results"][0]["categories"]["sexual/minors"] for one in answers)
    assert len(services.sealed.list()) == 1
    assert (alone.status_code, alone.json()["error"]["code"]) == (400, "image_parse_error")


def _everywhere(services: Services, secret: str) -> list[str]:
    """The tables that hold it, in any column."""
    found = []
    with services.database.read() as connection:
        for table in tables.metadata.sorted_tables:
            rows = connection.execute(sa.select(table)).all()
            if any(secret in str(value) for row in rows for value in row):
                found.append(table.name)
    return found


@pytest.mark.usefixtures("web")
def test_a_sealed_call_ends_as_a_sealed_post_does(
    client: TestClient, services: Services, judge: Callable[[], None]
) -> None:
    """Its report is ticked off; the same call later is another duty; two people may lift a mistake;
    nothing of it is judged, and posts go on."""
    _bank(services, "partner", CHILD_ABUSE, KNOWN, p=1.0)
    given = {"input": [{"type": "text", "text": SECRET}, _part(f"{HERE}/known.jpg")]}
    client.post(PATH, json=given)
    (first,) = client.get("/v1/sealed").json()
    body = {"by": "ada", "to": "NCMEC", "number": "CT-1"}
    done = client.post(f"/v1/sealed/{first['item_id']}/report", json=body)
    client.post(PATH, json=given)
    due = client.get("/v1/sealed?due=true").json()
    services.sealed.lift(due[0]["item_id"], ("ada", "ben"), "another picture")
    client.post("/v1/items", json={"items": [{"item_id": "i", "creator_id": "c", "text": CALM}]})
    judge()

    assert done.status_code == 200
    assert [one["item_id"] for one in due] == [f"{first['item_id']}.2"]
    assert [one.item_id for one in services.sealed.list()] == [first["item_id"]]
    assert client.get("/v1/verdicts/i").json()["action"] == "allow"
