"""What moderation works with: the rules, the settings, what is known of reach, and the vault."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from inhouse.core.errors import SettingError
from inhouse.moderation.policy.parse import DEFAULT_POLICY, load_policy
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.ports import NoReach, Reach
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
from inhouse.moderation.vault import KEY_FILE, FileVault, NoVault, Vault

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


def load_rules(settings: ModerationSettings) -> Rules:
    """The rules the settings name. Raises SettingError that shows every fault of the file."""
    policy = load_policy(Path(settings.policy) if settings.policy else DEFAULT_POLICY)
    banks = _banks_in(Path(settings.banks)) if settings.banks else shipped_banks()
    reader = SignalReader(banks)
    return Rules(policy=policy, reader=reader, teachers=_teachers(settings, reader))


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


def _banks_in(folder: Path) -> CompiledBanks:
    """The banks of a folder, as they were made from the same files before, or made now and kept."""
    files = bank_files(folder)
    if not files:
        raise SettingError(
            f"no term banks in {folder}; put .txt or .csv files there or leave the setting empty"
        )
    try:
        kept = folder / _COMPILED / digest_of(files)
    except OSError as error:
        raise SettingError(f"cannot read the term banks in {folder}: {error}") from error
    compiled = load_compiled(kept)
    if compiled is None:
        compiled = compile_banks([load_bank(path) for path in files])
        save_compiled(compiled, kept)
    return compiled
