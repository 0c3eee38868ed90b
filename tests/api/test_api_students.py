"""Models trained here, called by the official client: the gateway in front, the role behind it."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import uvicorn
from starlette.testclient import TestClient
from tests.api.wire_world import running
from tests.models.models_students import Kept, make_causal, make_encoder, talk
from tests.models.models_vendor import Vendor, chat_reply

from inhouse.api.students.server import create_students
from inhouse.app.build import Services
from inhouse.app.owning.dependence import Rates, dependence
from inhouse.app.owning.students import use_version
from inhouse.app.student_door import door_of, has_students, key_in
from inhouse.core.clock import DAY_MS
from inhouse.core.errors import BusyError, StoreError
from inhouse.models.cutover.routes import Acceptance
from inhouse.models.dependence.readiness import LEVELS
from inhouse.models.ledger.bill import bill
from inhouse.models.ledger.rows import Ledger
from inhouse.models.owned.encoder import load_vectors
from inhouse.models.owned.registry import ModelVersion
from inhouse.models.students.course import Course
from inhouse.models.students.placing import Placed, train_vectors
from inhouse.models.students.text import train_text
from inhouse.models.students.workplace import Base, Workplace
from inhouse.models.students.writer_torch import Writer

_TASKS = """
[names]
kind = "text"
stand_ins = ["main"]
[places]
kind = "embedding"
"""
_VENDORS = """
[main]
url = "{url}"
model = "gpt-4o-mini"
host = "openai"
owner = "openai"
serves = ["chat"]
stand_ins = ["names"]
"""
SAY_RED: Any = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "say red"}]


@pytest.fixture
def services(services: Services, tmp_path: Path) -> Services:
    """With a task of words and one of vectors, and a free port for their models."""
    (tmp_path / "tasks.toml").write_text(_TASKS)
    (tmp_path / "vendors.toml").write_text(_VENDORS.format(url="http://127.0.0.1:9/v1"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    models = replace(services.settings.models, students_port=port, least_pairs=20)
    services.settings = replace(services.settings, models=models)
    return services


def _workplace(services: Services) -> Workplace:
    return Workplace(
        database=services.database,
        registry=services.registry,
        clock=services.clock,
        settings=services.settings.models,
    )


def _in_use(services: Services, version: "ModelVersion | object") -> str:
    assert isinstance(version, ModelVersion)
    acceptance = Acceptance(
        task=version.task, version=version.version, by="ann", reason="good", at_ms=1
    )
    assert use_version(services, acceptance).owned == version.version
    return version.version


def _taught(services: Services, folder: Path) -> ModelVersion:
    """A model that says the name it is told to say, not in use yet."""
    base = Base(name=str(make_causal(folder / "base")), terms="mit", full=True)
    course = Course(rounds=8, rate=2e-2, patience=5)
    version = train_text(
        _workplace(services), services.tasks["names"], base, Kept(talk(120)), course
    )
    assert isinstance(version, ModelVersion)
    return version


@contextmanager
def _students(services: Services) -> Iterator[None]:
    """The role, while it runs."""
    config = uvicorn.Config(
        create_students(services.settings),
        host="127.0.0.1",
        port=services.settings.models.students_port,
        log_config=None,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()


def _play(
    services: Services, play: Callable[[Any, Vendor], Awaitable[None]], *replies: Any
) -> None:
    async def whole() -> None:
        async with Vendor(*replies) as vendor:
            Path(services.settings.models.vendors).write_text(_VENDORS.format(url=vendor.url))
            for part in ("deployments", "fleet", "routes"):  # read before the vendor was there
                services.__dict__.pop(part, None)
            _, secret = services.keys.create("app", ["models"])
            with running(services) as address:
                async with openai.AsyncOpenAI(
                    base_url=f"{address}/openai/v1", api_key=secret, max_retries=0, timeout=60
                ) as client:
                    await play(client, vendor)

    asyncio.run(whole())


def _rows(services: Services) -> list[tuple[str, str, str, str]]:
    """What is in the ledger; all of it once the server has stopped."""
    rows = [attempt for _, attempt in Ledger(services.database).read()]
    return [(row.deployment, row.host, row.price_version or "", row.outcome) for row in rows]


async def _soon(services: Services) -> None:
    """What is known of versions is asked anew."""
    assert services.students is not None
    services.students._looked_s = float("-inf")


def test_an_app_changes_nothing_when_a_task_moves(services: Services, tmp_path: Path) -> None:
    """Under the task's name the rented model answers until one is trained and put into use; then
    that one, with the rented one behind it when its process is gone. The ledger tells who it was,
    what it took and that it cost no vendor anything."""
    version = _taught(services, tmp_path)

    async def play(client: Any, vendor: Vendor) -> None:
        async def ask(**more: Any) -> tuple[str, Any]:
            raw = await client.chat.completions.with_raw_response.create(
                model="names", messages=SAY_RED, temperature=0, **more
            )
            return raw.headers["x-inhouse-deployment"], raw.parse()

        assert (await ask())[0] == "main"
        with _students(services):
            _in_use(services, version)
            await _soon(services)
            who, found = await ask()
            assert (who, found.model) == ("names", version.version)
            assert found.choices[0].message.content.strip() == "red"
            assert found.choices[0].finish_reason == "stop"
            usage = found.usage
            assert (usage.prompt_tokens, usage.completion_tokens) == (12, 1)
            names = {model.id: model.owned_by async for model in client.models.list()}
            assert (names["names"], names[version.version]) == ("inhouse", "inhouse")
        assert (await ask())[0] == "main"

    _play(services, play, chat_reply("hi"), chat_reply("hi"))
    rows = _rows(services)
    assert rows[0][:2] == ("main", "openai")
    assert rows[1] == ("names", "inhouse", "owned", "ok")
    assert [row[3] for row in rows[2:]] == ["unreachable"] * (len(rows) - 3) + ["ok"]
    assert rows[-1][0] == "main"


def test_the_bill_knows_which_task_a_call_was_for(services: Services, tmp_path: Path) -> None:
    """By its name, whoever answered; by a version's; by what a caller whose calls are kept says it
    is for, where that is declared. All else is of the service it was made for. The bill and the
    report on dependence tell each task's share."""
    version = _taught(services, tmp_path)

    async def play(client: Any, vendor: Vendor) -> None:
        (key,) = services.keys.list()
        services.keys.keep_calls(key.key_id, keep=True)

        async def ask(model: str, **headers: str) -> None:
            await client.chat.completions.create(
                model=model, messages=SAY_RED, temperature=0, extra_headers=headers
            )

        await ask("names")
        await ask("main")
        await ask("main", **{"x-inhouse-task": "names"})
        await ask("main", **{"x-inhouse-task": "anything"})
        with _students(services):
            _in_use(services, version)
            await _soon(services)
            await ask("names")
            await ask(version.version)

    _play(services, play, *[chat_reply("hi")] * 4)
    rows = [row for _, row in Ledger(services.database).read()]
    assert [(row.task, row.host) for row in rows] == [
        ("names", "openai"),
        ("chat", "openai"),
        ("names", "openai"),
        ("chat", "openai"),
        ("names", "inhouse"),
        ("names", "inhouse"),
    ]
    tomorrow_ms = max(row.at_ms for row in rows) + DAY_MS
    told = dependence(services, tomorrow_ms, 2, Rates())
    calls = {line.key: line.calls for line in bill(services.database, 0, tomorrow_ms).tasks}
    assert calls == {"names": 4, "chat": 2}
    ready = {one.task: (one.level, one.name) for one in told.readiness}
    assert ready["names"] == (4, LEVELS[4])
    assert (ready["places"][0], ready["chat"][0]) == (0, 0)
    assert [(one.task, one.days[0].rented, one.days[0].owned) for one in told.traffic] == [
        ("chat", 2, 0),
        ("names", 2, 2),
    ]


def test_a_model_of_ones_own_stands_in_for_a_vendor(services: Services, tmp_path: Path) -> None:
    """A call to the vendor's deployment is answered here where the vendor does not."""
    version = _taught(services, tmp_path)
    _in_use(services, version)

    async def play(client: Any, vendor: Vendor) -> None:
        await vendor.__aexit__(None, None, None)
        raw = await client.chat.completions.with_raw_response.create(
            model="main", messages=SAY_RED, temperature=0, max_tokens=3
        )
        assert raw.headers["x-inhouse-deployment"] == "names"

    with _students(services):
        _play(services, play)
    assert _rows(services)[-1] == ("names", "inhouse", "owned", "ok")


def test_a_stream_comes_in_pieces_and_can_be_left(services: Services, tmp_path: Path) -> None:
    """Pieces add up to what is said at once; with a seed the same again; a stop is no part of it;
    the end says why; usage for whoever asks. Whoever leaves ends the writing."""
    version = _taught(services, tmp_path)

    async def play(client: Any, _: Vendor) -> None:
        async def said(**more: Any) -> tuple[str, str, Any]:
            stream = await client.chat.completions.create(
                model=version.version, messages=SAY_RED, stream=True, **more
            )
            chunks = [chunk async for chunk in stream]
            told = [chunk.choices[0] for chunk in chunks if chunk.choices]
            text = "".join(choice.delta.content or "" for choice in told)
            return text, told[-1].finish_reason, chunks[-1].usage

        wild: Any = {"temperature": 2.0, "seed": 5, "max_tokens": 9}
        whole = await client.chat.completions.create(
            model=version.version, messages=SAY_RED, **wild
        )
        text, ending, usage = await said(**wild, stream_options={"include_usage": True})
        assert (text, ending) == (
            whole.choices[0].message.content,
            whole.choices[0].finish_reason,
        )
        assert usage == whole.usage
        calm, _, none = await said(temperature=0, stop=["re", "blue"])
        assert (calm.strip(), none) == ("", None)
        assert (await said(temperature=0, max_tokens=1))[1] == "length"
        stream = await client.chat.completions.create(
            model=version.version, messages=SAY_RED, stream=True, temperature=2, max_tokens=40
        )
        await anext(aiter(stream))
        await stream.close()

    with _students(services):
        _play(services, play)
    assert {row[3] for row in _rows(services)} <= {"ok", "aborted"}


def test_many_ask_at_once_and_no_more_than_may(services: Services, tmp_path: Path) -> None:
    """Twelve streams and answers together, each as it would be alone, its usage counted; with no
    room in the line the next is told when to come again, by the role and by the gateway. What is
    longer than the model reads is refused in OpenAI's words."""
    version = _taught(services, tmp_path).version
    models = replace(services.settings.models, students_at_once=6, students_waiting=6)
    services.settings = replace(services.settings, models=models)
    wild: list[Any] = [{"temperature": 1.5, "seed": n, "max_tokens": 3 + n} for n in range(12)]

    async def play(client: Any, _: Vendor) -> None:
        async def said(how: dict[str, Any]) -> tuple[str, int, int]:
            if how["seed"] % 2:
                whole = await client.chat.completions.create(model=version, messages=SAY_RED, **how)
                told, usage = whole.choices[0].message.content, whole.usage
            else:
                stream = await client.chat.completions.create(
                    model=version,
                    messages=SAY_RED,
                    stream=True,
                    stream_options={"include_usage": True},
                    **how,
                )
                chunks = [chunk async for chunk in stream]
                told = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
                usage = chunks[-1].usage
            return told, usage.prompt_tokens, usage.completion_tokens

        alone = [await said(how) for how in wild]
        assert await asyncio.gather(*map(said, wild)) == alone
        assert {one[1] for one in alone} == {12}
        long: Any = [{"role": "user", "content": "say " * 99}]
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(model=version, messages=long)
        assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "messages")

    with _students(services):
        _play(services, play)
        rows = [row for _, row in Ledger(services.database).read()]
        assert {(row.task, row.outcome) for row in rows} == {("names", "ok"), ("names", "refused")}
        assert all(row.usage is not None and row.usage.tokens_in == 12 for row in rows[:24])


def test_a_full_line_says_when_to_come_again(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a 429 and `retry-after`, which the gateway passes on where nobody stands in."""
    version = _taught(services, tmp_path).version

    def full(*_: object) -> None:
        raise BusyError("16 answers are written at once and 64 wait; ask again soon")

    monkeypatch.setattr(Writer, "write", full)

    async def play(client: Any, _: Vendor) -> None:
        for stream in (False, True):
            with pytest.raises(openai.RateLimitError) as busy:
                await client.chat.completions.create(model=version, messages=SAY_RED, stream=stream)
            assert int(busy.value.response.headers["retry-after"]) >= 1

    with _students(services):
        with TestClient(create_students(services.settings)) as client:
            found = client.post(
                "/default/v1/chat/completions",
                json={"model": version, "messages": SAY_RED},
                headers={"authorization": f"Bearer {key_in(services.settings.folder)}"},
            )
        _play(services, play)
    assert (found.status_code, found.headers["retry-after"]) == (429, "1")
    assert {row[3] for row in _rows(services)} == {"rate_limited"}


def test_vectors_come_from_here_too(services: Services, tmp_path: Path) -> None:
    """Mapped into another's space where there were vectors to learn from, of length 1, as numbers
    or as bytes."""
    encoder = make_encoder(tmp_path / "encoder")
    words = ["the goal", "match", "a song", "chorus of", "song match", "the a of", "goal goal"]
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((16, 16)))[0]
    plain = train_vectors(
        _workplace(services),
        services.tasks["places"],
        Base(name=str(encoder), terms="mit"),
    )
    own = load_vectors(services.registry.folder / _in_use(services, plain)).vectors(words)
    rows = [
        Placed(
            text=" ".join([words[n % 7]] * (n // 7 + 1)),
            vector=(turn @ own[n % 7]).tolist(),
            at_ms=n,
            source="openai/openai/e",
            terms="t-2026",
        )
        for n in range(35)
    ]
    mapped = train_vectors(
        _workplace(services), services.tasks["places"], Base(name=str(encoder), terms="mit"), rows
    )
    assert isinstance(mapped, ModelVersion)
    assert (mapped.card.method, mapped.card.bound_by) == ("mapped", ("mit", "t-2026"))
    assert mapped.card.held_out is not None
    assert mapped.card.held_out.after > 0.8
    _in_use(services, mapped)

    async def play(client: Any, _: Vendor) -> None:
        both = await client.embeddings.create(model="places", input=words[:2])
        one = await client.embeddings.create(
            model="places", input=words[0], encoding_format="float"
        )
        told = np.array([each.embedding for each in both.data])
        assert told.shape == (2, 16)
        assert np.allclose(np.linalg.norm(told, axis=1), 1.0, atol=1e-5)
        assert np.allclose(one.data[0].embedding, told[0], atol=1e-5)
        assert told[0] @ (turn @ own[0]) > 0.8
        assert both.usage.prompt_tokens == 4 + 3

    with _students(services):
        _play(services, play)
    assert _rows(services) == [("places", "inhouse", "owned", "ok")] * 2


def test_what_it_cannot_do_is_refused_by_name(services: Services, tmp_path: Path) -> None:
    """Nothing is passed over in silence, nobody gets in without the community's key, and no path
    leads out of its folder."""
    version = _taught(services, tmp_path).version
    key = key_in(services.settings.folder)
    told: list[tuple[int, str]] = []
    cases: list[dict[str, Any]] = [
        {"tools": [{}]},
        {"n": 2},
        {"response_format": {"type": "json_object"}},
        {"temperature": 3},
        {"stop": ["a"] * 5},
        {"messages": []},
        {"messages": [{"role": "wizard", "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        {"messages": [{"role": "user", "content": "say " * 99}]},
        {"max_tokens": 0},
        {"model": "../../secret"},
        {"model": "names-0000000000000000"},
    ]
    with TestClient(create_students(services.settings)) as client:
        client.headers["authorization"] = f"Bearer {key}"
        for case in cases:
            body = {"model": version, "messages": SAY_RED, **case}
            found = client.post("/default/v1/chat/completions", json=body)
            told.append((found.status_code, found.json()["error"]["param"]))
        wrong = client.post("/default/v1/embeddings", json={"model": version, "input": "a"})
        nowhere = client.post("/other/v1/embeddings", json={"model": version, "input": "a"})
        client.headers["authorization"] = "Bearer wrong"
        body = {"model": version, "messages": SAY_RED}
        locked = client.post("/default/v1/chat/completions", json=body)
        alive = client.get("/healthz")

    assert told == [
        (400, "tools"),
        (400, "n"),
        (400, "response_format"),
        (400, "temperature"),
        (400, "stop"),
        (400, "messages"),
        (400, "messages[0].role"),
        (400, "messages[0].content"),
        (400, "messages"),
        (400, "max_tokens"),
        (404, "model"),
        (404, "model"),
    ]
    assert (wrong.status_code, nowhere.status_code, locked.status_code) == (404, 404, 401)
    assert (alive.status_code, json.loads(alive.content)) == (200, {"status": "ok"})


def test_the_door_has_one_key_for_all(services: Services, tmp_path: Path) -> None:
    """Whoever asks first makes it, readable by its owner alone; a broken one is not taken."""
    folder = services.settings.folder

    door = door_of(services.settings)

    assert (door.key, door.url) == (
        key_in(folder),
        f"http://127.0.0.1:{services.settings.models.students_port}/default/v1",
    )
    assert (folder / "students.key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in folder.glob("*students*")) == ["students.key"]
    assert has_students(services.settings)
    (tmp_path / "tasks.toml").write_text("")
    assert not has_students(services.settings)
    (folder / "students.key").write_text("x")
    with pytest.raises(StoreError, match=r"students.key holds no key; delete it"):
        key_in(folder)
