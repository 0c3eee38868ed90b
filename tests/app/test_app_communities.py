"""Communities of an installation: names, folders, settings of their own, and the turns of roles."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest

from inhouse.app import communities
from inhouse.app.build import Services, open_services
from inhouse.app.communities import (
    MOST,
    add,
    is_valid_name,
    names_in,
    places_in,
    remove,
    restore,
    settings_of,
)
from inhouse.app.hub import Hub
from inhouse.app.people.erasure import Eraser
from inhouse.app.roles.rounds import Rounds
from inhouse.app.roles.standby import Standbys
from inhouse.app.settings import SECTIONS, Settings, load_settings
from inhouse.catalog.types import Item
from inhouse.core.errors import (
    AccessError,
    ConflictError,
    InputError,
    SettingError,
    StoreError,
    UnknownError,
)
from inhouse.core.ids import ItemId, UserId
from inhouse.models.tasks import TEXT_HARM
from inhouse.moderation.policy.parse import DEFAULT_POLICY
from inhouse.store.database import StoreSettings


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """An installation without any named community."""
    environment = {
        "INHOUSE_STORE_FOLDER": str(tmp_path / "data"),
        "INHOUSE_CONSOLE_PASSWORD": "of the installation",
        "INHOUSE_API_PUBLIC_ORIGIN": "http://127.0.0.1:8701",
        "INHOUSE_API_MOST_ROWS": "77",
        "INHOUSE_LEARNING_MEMORY": "5000",
    }
    return load_settings(environment, tmp_path / "none.toml")


def _write(home: Settings, name: str, text: str) -> None:
    (home.folder / "communities" / name / "inhouse.toml").write_text(text)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("a", True),
        ("book-club", True),
        ("c4", True),
        ("a" * 32, True),
        ("a" * 33, False),
        ("", False),
        ("4c", False),
        ("-a", False),
        ("a-", False),
        ("a--b", False),
        ("Tea", False),
        ("té", False),
        ("a_b", False),
        ("a.b", False),
        ("../a", False),
        ("a\n", False),
        ("default", False),
    ],
)
def test_a_name_is_plain(home: Settings, name: str, good: bool) -> None:
    """A good name can be added; anything else is refused with the rule, and makes nothing."""
    assert is_valid_name(name) is good
    if good:
        assert add(home, name).folder == home.folder / "communities" / name
    else:
        with pytest.raises(InputError, match="expected 1 to 32 of a-z 0-9 -"):
            add(home, name)
        assert places_in(home) == []


def test_an_installation_without_names_is_as_it_was(home: Settings) -> None:
    """Nothing is made, nothing is configured, and keys have no name in them."""
    hub = Hub(Services(home))
    assert hub.look() == []
    _, secret = hub.home.keys.create("app", ["feed"])

    assert (hub.alone, len(hub), names_in(home), home.community) == (True, 1, [], "")
    assert "." not in secret
    assert sorted(path.name for path in home.folder.glob("*")) == [
        "inhouse.db",
        "inhouse.db-shm",
        "inhouse.db-wal",
    ]
    hub.close()


def test_what_would_join_two_communities_is_not_inherited(home: Settings) -> None:
    """Place, staff password, console port, app origin and rented models are each one's own; the
    rest is the installation's where its own file is silent."""
    add(home, "tea")
    tea = settings_of(home, "tea")
    folder = home.folder / "communities" / "tea"

    assert tea.community == "tea"
    assert (tea.folder, tea.models.vendors) == (folder, str(folder / "vendors.toml"))
    assert (tea.console.password, tea.console.port, tea.api.public_origin) == ("", 0, "")
    assert (tea.api.most_rows, tea.learning.memory) == (77, 5_000)
    assert {p: getattr(tea, p) for p in ("engine", "recommend", "moderation", "app")} == {
        p: getattr(home, p) for p in ("engine", "recommend", "moderation", "app")
    }


def test_its_own_file_counts_more_than_the_installation(home: Settings) -> None:
    """A value of the file wins over the environment; its paths begin where it lies."""
    add(home, "tea", console_port=8711)
    _write(
        home,
        "tea",
        '[learning]\nmemory = 9000\n[moderation]\npolicy = "policy.yaml"\n'
        '[console]\npassword = "of tea"\n[store]\nurl = "postgresql://elsewhere/tea"\n',
    )
    tea = settings_of(home, "tea")

    assert (tea.learning.memory, tea.console.password) == (9_000, "of tea")
    assert tea.moderation.policy == str(tea.folder / "policy.yaml")
    assert tea.store == StoreSettings(url="postgresql://elsewhere/tea", folder=str(tea.folder))
    assert communities.schema_in(home, "tea") == "community_tea"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[store]\nfolder = '/'\n", "[store] folder: got '/', expected nothing"),
        ("[api]\nport = 9\n", "[api] port: got 9, expected nothing: set it for all"),
        ("[app]\nfollow_ms = 50\n", "[app] follow_ms: got 50, expected nothing"),
        ("[shop]\na = 1\n", "[shop]: got {'a': 1}, expected one of store, app"),
        ("[learning]\nmemory = 1\n", "[learning] memory: got 1, expected 1000 to 1e+07 examples"),
        ("[learning]\nmemmory = 1\n", "memmory: got a setting that does not exist"),
        ("[learning\n", "cannot read"),
    ],
)
def test_a_faulty_file_is_refused_by_name(home: Settings, text: str, said: str) -> None:
    """The file and the line are named; what one process does for all cannot be set by one."""
    add(home, "tea")
    _write(home, "tea", text)
    with pytest.raises(SettingError) as caught:
        settings_of(home, "tea")

    assert said in str(caught.value)
    assert str(Path("communities") / "tea" / "inhouse.toml") in str(caught.value)


def test_every_shared_setting_is_refused_and_every_other_can_be_set(home: Settings) -> None:
    """Each setting can stand in a community's file or is refused there; none is ignored."""
    add(home, "tea")
    inherited = settings_of(home, "tea")
    refused = set()
    for package, table in SECTIONS.items():
        for field in dataclasses.fields(table):
            value = getattr(getattr(inherited, package), field.name)
            text = f'"{value}"' if isinstance(value, str) else str(value).lower()
            _write(home, "tea", f"[{package}]\n{field.name} = {text}\n")
            try:
                assert settings_of(home, "tea") == inherited
            except SettingError:
                refused.add(f"{package}.{field.name}")

    assert refused == {
        "store.folder",
        "models.students_port",
        "models.students_at_once",
        "models.students_waiting",
        "models.students_kept_mb",
        "app.log_level",
        "app.follow_ms",
        "app.worker_pause_ms",
        "app.learn_every_s",
        "api.host",
        "api.port",
        "api.workers",
        "api.gateway_port",
        "api.gateway_workers",
        "api.most_body_bytes",
        "api.most_rows",
        "api.feed_wait_ms",
        "api.most_asking",
        "api.languages",
    }


def test_removing_destroys_nothing(home: Settings) -> None:
    """A removed one is not served, its name stays taken, and restored it has all that it had."""
    with open_services(add(home, "tea")) as services:
        _, secret = services.keys.create("app", ["feed"])
    removed = remove(home, "tea")
    with pytest.raises(UnknownError, match="`inhouse communities restore tea` brings it back"):
        settings_of(home, "tea")
    with pytest.raises(ConflictError, match="or delete that folder first"):
        add(home, "tea")
    with pytest.raises(ConflictError, match="is removed already"):
        remove(home, "tea")
    places = [(place.name, place.removed) for place in places_in(home)]
    restore(home, "tea")
    with pytest.raises(ConflictError, match="is not removed"):
        restore(home, "tea")

    assert removed.removed
    assert (places, names_in(home)) == ([("tea", True)], ["tea"])
    with open_services(settings_of(home, "tea")) as services:
        assert services.keys.require(secret, "feed").name == "app"


def test_there_is_a_bound(home: Settings) -> None:
    """A process holds every community, so their number is bounded; a name is taken once."""
    add(home, "tea")
    with pytest.raises(ConflictError, match="'tea' exists already"):
        add(home, "tea")
    for number in range(MOST - 1):
        add(home, f"c{number}")
    with pytest.raises(ConflictError, match=f"there are {MOST} communities"):
        add(home, "another")
    with pytest.raises(UnknownError, match="no community 'another' in "):
        settings_of(home, "another")


def test_a_key_is_unknown_elsewhere_even_in_a_copy(home: Settings) -> None:
    """A folder copied to another name takes the rows of keys along, but none of them is good."""
    with open_services(add(home, "tea")) as services:
        _, secret = services.keys.create("app", ["feed"])
    copy = add(home, "coffee")
    with open_services(settings_of(home, "tea")) as services:
        services.database.overwrite_freed([])
    (copy.folder / "inhouse.db").write_bytes(
        (home.folder / "communities/tea/inhouse.db").read_bytes()
    )
    with open_services(copy) as services:
        assert len(services.keys.list()) == 1
        for tried in (secret, secret.replace("tea", "coffee")):
            with pytest.raises(AccessError, match="no valid API key"):
                services.keys.require(tried, "feed")


def test_models_vendors_and_policies_are_each_ones_own(home: Settings) -> None:
    """What one rents, routes or forbids is not there for the other."""
    made = {name: add(home, name) for name in ("tea", "coffee")}
    vendor = '[main]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\nhost = "h"\nowner = "o"\n'
    (made["tea"].folder / "vendors.toml").write_text(vendor)
    (made["tea"].folder / "policy.yaml").write_text(
        DEFAULT_POLICY.read_text().replace("policy: default", "policy: ours")
    )
    _write(home, "tea", '[moderation]\npolicy = "policy.yaml"\n')
    with (
        open_services(settings_of(home, "tea")) as tea,
        open_services(settings_of(home, "coffee")) as coffee,
    ):
        assert (tea.fleet.vendors, coffee.fleet.vendors) == (("main",), ())
        assert tea.routes.current(TEXT_HARM.name).primary == "main"
        assert coffee.routes.current(TEXT_HARM.name).primary is None
        assert tea.policy.version != coffee.policy.version
        assert tea.registry.folder != coffee.registry.folder
        assert tea.snapshots != coffee.snapshots


def test_erasing_leaves_other_communities_files_alone(home: Settings) -> None:
    """The communities lie in the installation's folder; a torn file of one that names the same
    person is not the installation's to remove."""
    tea = add(home, "tea")
    ours, theirs = home.folder / ".a.part", tea.folder / "models" / ".a.part"
    theirs.parent.mkdir()
    for path in (ours, theirs):
        path.write_bytes(b"of ana-lovelace")
    with open_services(home) as services:
        services.catalog.put_items(
            [Item(item_id=ItemId("i"), creator_id=UserId("ana-lovelace"), kind="text", text="t")]
        )
        eraser = Eraser(services)
        eraser.finish(eraser.wipe("ana-lovelace"))

    assert (ours.exists(), theirs.exists()) == (False, True)


class _Duty:
    """Counts its steps; does as it is told."""

    def __init__(self, services: Services, told: dict[str, Any]) -> None:
        self._name, self._told = services.settings.community, told
        self._told.setdefault("made", []).append(self._name)

    def step(self) -> bool:
        self._told.setdefault("steps", []).append(self._name)
        fault = self._told.get("faults", {}).get(self._name)
        if fault is not None:
            raise fault
        return False

    def close(self) -> None:
        self._told.setdefault("closed", []).append(self._name)


def _rounds(home: Settings, told: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Rounds:
    monkeypatch.setattr("inhouse.app.roles.rounds.LOOK_EVERY_S", 0.0)
    return Rounds("worker", Hub(Services(home)), lambda services: _Duty(services, told))


def test_every_community_has_its_turn(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, those added while it runs too; a removed one is closed."""
    told: dict[str, Any] = {}
    add(home, "tea")
    rounds = _rounds(home, told, monkeypatch)
    rounds.step()
    add(home, "coffee")
    rounds.step()
    remove(home, "tea")
    rounds.step()
    rounds.close()

    assert told["steps"] == ["", "tea", "", "tea", "coffee", "", "coffee"]
    assert told["closed"] == ["tea", "", "coffee"]


@pytest.mark.parametrize("fault", [StoreError("torn"), ZeroDivisionError("a bug")])
def test_one_communitys_fault_costs_the_others_nothing(
    home: Settings, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """It rests; the others have their turns. After a crash its parts are made anew."""
    told: dict[str, Any] = {"faults": {"tea": fault}}
    add(home, "coffee"), add(home, "tea")
    rounds = _rounds(home, told, monkeypatch)
    for _ in range(3):
        rounds.step()
    monkeypatch.setattr("inhouse.app.roles.rounds.time.monotonic", lambda: float("1e12"))
    rounds.step()
    rounds.close()

    assert [told["steps"].count(name) for name in ("", "coffee", "tea")] == [4, 4, 2]
    assert told["made"].count("tea") == (1 if isinstance(fault, StoreError) else 2)


def test_alone_a_crash_ends_the_process(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the supervisor starts a fresh one, as ever."""
    rounds = _rounds(home, {"faults": {"": ZeroDivisionError("a bug")}}, monkeypatch)
    with pytest.raises(ZeroDivisionError):
        rounds.step()
    rounds.close()


def test_a_standby_holds_every_community(home: Settings) -> None:
    """Also one that is added while it waits; after taking over all states are the caller's."""
    add(home, "tea")
    hub = Hub(Services(home))
    standbys = Standbys(hub)
    standbys.start()
    with open_services(add(home, "coffee")) as services:
        services.catalog.put_items(
            [Item(item_id=ItemId("i"), creator_id=UserId("c"), kind="text", text="t", created_ms=1)]
        )
    _until(lambda: any(s.settings.community == "coffee" for s in hub))
    coffee = next(s for s in hub if s.settings.community == "coffee")
    _until(lambda: "feeds" in coffee.__dict__ and coffee.state.items.count == 1)
    standbys.take_over()

    assert [s.settings.community for s in hub] == ["", "tea", "coffee"]
    hub.close()


def _until(true: Any) -> None:
    end = time.monotonic() + 15
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
