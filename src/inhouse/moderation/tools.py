"""What moderation works with: the rules, the settings, what is known of reach, and the vault."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from inhouse.core.errors import SettingError
from inhouse.moderation.policy.parse import DEFAULT_POLICY, load_policy
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.ports import NoReach, Reach
from inhouse.moderation.sealing.vault import KEY_FILE, FileVault, NoVault, Vault
from inhouse.moderation.settings import ModerationSettings
from inhouse.moderation.signals.compiled import (
    CompiledBanks,
    compile_banks,
    digest_of,
    load_compiled,
    save_compiled,
)
from inhouse.moderation.signals.read import SignalReader
from inhouse.moderation.signals.terms import load_bank, shipped_banks

_COMPILED: Final = ".compiled"  # the folder beside term banks that holds what was made of them


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """A policy, and the reader of signals with its term banks."""

    policy: Policy
    reader: SignalReader
    teachers: frozenset[str] = frozenset()  # the term banks whose matches teach the text model


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """Given to everything that scans, takes reports or decides. After a change of the policy the
    `tools` of each are replaced as a whole."""

    rules: Rules
    settings: ModerationSettings = field(default_factory=ModerationSettings)
    reach: Reach = field(default_factory=NoReach)
    vault: Vault = field(default_factory=NoVault)


def load_rules(settings: ModerationSettings, kept: Path | None = None) -> Rules:
    """The rules the settings name. kept: a folder for what is made of term banks where theirs
    cannot be written. Raises SettingError that shows every fault of the file."""
    policy = load_policy(Path(settings.policy) if settings.policy else DEFAULT_POLICY)
    reader = _reader(settings, kept)
    return Rules(policy=policy, reader=reader, teachers=_teachers(settings, reader))


def rules_of_before(
    settings: ModerationSettings, policy: Policy, reader_version: str, kept: Path
) -> Rules | None:
    """A policy of before, with the term banks of then where they are still there as they were
    made; else with those of the files, else as they were last made. None where no bank can be
    used, or one that is to teach is not among them."""
    reader = _last_made(settings, kept)
    if reader is None or reader.version != reader_version:
        with contextlib.suppress(SettingError):
            reader = _reader(settings, kept)
    try:
        teachers = _teachers(settings, reader) if reader is not None else frozenset()
    except SettingError:
        return None
    return None if reader is None else Rules(policy=policy, reader=reader, teachers=teachers)


def _reader(settings: ModerationSettings, kept: Path | None) -> SignalReader:
    banks = _banks_in(Path(settings.banks), kept) if settings.banks else shipped_banks()
    return SignalReader(banks)


def _last_made(settings: ModerationSettings, kept: Path) -> SignalReader | None:
    """With the term banks as they were last made, whatever their files are now."""
    if not settings.banks:
        return None
    for place in (Path(settings.banks) / _COMPILED, kept):
        for folder in sorted(place.glob("[!.]*")):
            compiled = load_compiled(folder)
            if compiled is not None:
                return SignalReader(compiled)
    return None


def _teachers(settings: ModerationSettings, reader: SignalReader) -> frozenset[str]:
    names = frozenset(filter(None, (part.strip() for part in settings.teaching_banks.split(","))))
    unknown = sorted(names - reader.bank_sizes.keys())
    if unknown:
        known = ", ".join(sorted(reader.bank_sizes))
        raise SettingError(
            f"teaching_banks names {unknown[0][:80]!r}; expected names of term banks: {known}"
        )
    return names


def vault_of(settings: ModerationSettings, folder: Path) -> Vault:
    """Where what is sealed lies: with the key that the settings name, else one in the folder."""
    return FileVault(Path(settings.sealed_key) if settings.sealed_key else folder / KEY_FILE)


def bank_files(folder: Path) -> list[Path]:
    """The term banks of a folder, by name."""
    return sorted(p for p in folder.glob("*") if p.suffix in (".txt", ".csv"))


def _banks_in(folder: Path, kept: Path | None) -> CompiledBanks:
    """The banks of a folder, as they were made from the same files before, or made now and kept."""
    files = bank_files(folder)
    if not files:
        raise SettingError(
            f"no term banks in {folder}; put .txt or .csv files there or leave the setting empty"
        )
    try:
        digest = digest_of(files)
    except OSError as error:
        raise SettingError(f"cannot read the term banks in {folder}: {error}") from error
    places = [place / digest for place in (folder / _COMPILED, kept) if place is not None]
    for place in places:
        made = load_compiled(place)
        if made is not None:
            return made
    compiled = compile_banks([load_bank(path) for path in files])
    for place in places:
        save_compiled(compiled, place)
        if place.exists():
            break
    return compiled
