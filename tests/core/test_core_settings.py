"""Settings: values by precedence, and faults that a person can mend."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from inhouse.core.errors import Fault, SettingError
from inhouse.core.settings import SettingRow, load, read_file, rows, setting


@dataclass(frozen=True, kw_only=True)
class Oven:
    """A table with a setting of every type."""

    heat_c: int = setting(180, unit="C", help="inside", least=50, most=250)
    fan_share: float = setting(0.5, unit="share", help="of full speed", least=0, most=1)
    light: bool = setting(False, unit="yes or no", help="lamp")
    mode: str = setting("bake", unit="name", help="programme", choices=("bake", "grill"))
    note: str = setting("", unit="text", help="free words")


def test_defaults_stand_where_nothing_is_set() -> None:
    """An empty environment and an absent file give the table's own values."""
    assert load("oven", Oven, {}, {}) == Oven()


def test_environment_wins_over_file_and_file_over_default() -> None:
    """The order is environment, file, default."""
    environment = {"INHOUSE_OVEN_HEAT_C": "200"}
    file = {"oven": {"heat_c": 100, "light": True}}

    assert load("oven", Oven, environment, file) == Oven(heat_c=200, light=True)


@pytest.mark.parametrize("text", ["true", "1", "YES", " True "])
def test_truth_is_understood_in_its_usual_spellings(text: str) -> None:
    """true, 1 and yes are one thing, whatever their case."""
    assert load("oven", Oven, {"INHOUSE_OVEN_LIGHT": text}, {}) == Oven(light=True)


def test_every_fault_is_listed_at_once_with_its_place_and_what_was_expected() -> None:
    """A person sees all faults together: the variable or the file's line, the value, the range."""
    environment = {"INHOUSE_OVEN_HEAT_C": "300", "INHOUSE_OVEN_FAN_SHARE": "much"}
    file = {"oven": {"mode": "boil", "light": "maybe", "lamp": 1}}

    with pytest.raises(SettingError) as caught:
        load("oven", Oven, environment, file)

    assert str(caught.value) == (
        "5 setting(s) of oven cannot be used\n"
        "  [oven] lamp: got a setting that does not exist, expected one of"
        " fan_share, heat_c, light, mode, note\n"
        "  INHOUSE_OVEN_HEAT_C: got '300', expected 50 to 250 C\n"
        "  INHOUSE_OVEN_FAN_SHARE: got 'much', expected a value of type float\n"
        "  [oven] light: got 'maybe', expected a value of type bool\n"
        "  [oven] mode: got 'boil', expected one of bake, grill"
    )
    assert caught.value.faults[1] == Fault(
        field="INHOUSE_OVEN_HEAT_C", value="'300'", expected="50 to 250 C"
    )


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_number_must_be_finite(text: str) -> None:
    """Not-a-number lies inside no range, so it is refused as no number at all."""
    with pytest.raises(SettingError) as caught:
        load("oven", Oven, {"INHOUSE_OVEN_FAN_SHARE": text}, {})

    assert str(caught.value) == (
        "1 setting(s) of oven cannot be used\n"
        f"  INHOUSE_OVEN_FAN_SHARE: got '{text}', expected a value of type float"
    )


def test_a_long_wrong_value_is_shortened() -> None:
    """A message stays readable, whatever was pasted into the variable."""
    with pytest.raises(SettingError) as caught:
        load("oven", Oven, {"INHOUSE_OVEN_HEAT_C": "9" * 500 + "x"}, {})

    assert [len(fault.value) for fault in caught.value.faults] == [80]


def test_rows_tell_name_default_unit_help_and_variable() -> None:
    """The table that documents a setting is the table that makes it."""
    first = rows("oven", Oven)[0]

    assert first == SettingRow(package="oven", name="heat_c", default=180, unit="C", help="inside")
    assert first.variable == "INHOUSE_OVEN_HEAT_C"


def test_an_absent_file_is_an_empty_one(tmp_path: Path) -> None:
    """Nobody has to write a file."""
    assert read_file(tmp_path / "inhouse.toml") == {}


def test_a_file_is_read_by_sections(tmp_path: Path) -> None:
    """Each package has its section."""
    path = tmp_path / "inhouse.toml"
    path.write_text('[oven]\nheat_c = 90\nmode = "grill"\n')

    assert load("oven", Oven, {}, read_file(path)) == Oven(heat_c=90, mode="grill")


def test_a_broken_file_names_line_and_column(tmp_path: Path) -> None:
    """A slip of the pen is found without searching."""
    path = tmp_path / "inhouse.toml"
    path.write_text("[oven]\nheat_c = \n")

    with pytest.raises(SettingError) as caught:
        read_file(path)

    assert str(caught.value) == (
        f"cannot read {path}: Invalid value (at line 2, column 10);"
        " mend the line or remove the file"
    )


def test_a_setting_outside_of_a_section_is_named(tmp_path: Path) -> None:
    """A line above the first section belongs to nobody, and that is said."""
    path = tmp_path / "inhouse.toml"
    path.write_text("heat_c = 90\n")

    with pytest.raises(SettingError) as caught:
        read_file(path)

    assert str(caught.value) == (
        f"{path} holds settings outside of a section\n"
        "  heat_c: got 90, expected a section, [heat_c], with settings"
    )
