"""The page `/moderation/banks`."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar, cast

from fastapi import Request
from nicegui import events, run, ui

from inhouse.app.build import Services
from inhouse.console.frame import Region, frame, panel, press, section
from inhouse.console.markup import Safe, join, words
from inhouse.console.moderation import banks_page as page
from inhouse.console.moderation.fields import number_field, show_heading, text_field
from inhouse.console.moments import community_now
from inhouse.core.errors import InhouseError
from inhouse.moderation.media.banks import BankFacts
from inhouse.moderation.media.rescan import Rescanned
from inhouse.moderation.media.types import HASH_KINDS, BankSpec, HashKind, HashState
from inhouse.moderation.types import CHILD_ABUSE

T = TypeVar("T")
_HARMLESS: Final = "what must not match"
_HASHES_SHOWN: Final = 20
_MOST_CHARS: Final = 8_000_000
_STEPS: Final = (0, 5, 10, 25, 50, 100)


def register(services: Services) -> None:
    """Add the page."""

    @ui.page("/moderation/banks")
    def banks(request: Request) -> None:
        with frame(request, "/moderation", "Banks"):
            _Banks(services).look()


class _Banks:
    """The list, the bank that is looked at, and a form for a new one."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._chosen: BankFacts | None = None
        self._after = 0  # the number of the hash behind which hashes are shown
        self._busy = False
        show_heading(page.HEADING)
        with section("Hashes of pictures, videos and files"), panel().classes("roomy"):
            self._list = ui.element("div").classes("controls")
            with ui.element("div").classes("chips"):
                press(join(["Hold posts of before against them"]), self._rescan, "plain-button")
            self._status = Region("status")
        self._one = section("The bank")
        with self._one:
            self._build_one()
        with section("A new bank"), panel().classes("roomy"):
            self._build_new()
        with section("Words, patterns and sites"), panel().classes("flush"):
            self._terms = Region()

    # -- building ----------------------------------------------------------------------------------

    def _build_one(self) -> None:
        with panel().classes("roomy"):
            self._meaning = Region()
            with ui.element("div").classes("fields"):
                self._category = ui.select(self._categories(), label="what a match says").props(
                    "dense outlined"
                )
                self._p = number_field("with probability", 0.95, 0.01)
                self._distance = number_field("within bits, 0 to 31", 31)
                self._quality = number_field("pictures of quality from, 0 to 100", 50)
            with ui.element("div").classes("fields"):
                self._share = number_field("per cent of its hashes that count", 100)
                for step in _STEPS:
                    press(join([f"{step}%"]), partial(self._set_share, step), "chip")
                self._active = ui.checkbox("counts")
                press(join(["Put into force"]), self._change, "plain-button")
        with panel("Add hashes").classes("roomy"):
            self._lines = ui.textarea(placeholder="one a line: HEX or HEX,a note").props(
                'dense outlined aria-label="Hashes"'
            )
            self._lines.classes("wide code")
            with ui.element("div").classes("chips"):
                press(join(["Add"]), self._add, "plain-button")
            ui.upload(
                label="or a file from this computer",
                auto_upload=True,
                max_file_size=_MOST_CHARS,
                on_upload=self._dropped,
                on_rejected=lambda _: self._fault("larger than 8 MB; use inhouse moderate banks"),
            ).props("flat bordered").classes("drop")
            self._added = Region()
        with panel("Its hashes").classes("roomy"):
            self._hashes_head = Region()
            self._hashes = ui.element("div").classes("controls tight")
            with ui.element("div").classes("chips"):
                press(join(["From the first"]), lambda: self._turn(0), "chip")
                press(join(["More"]), lambda: self._turn(self._last), "chip")
        with panel("Remove the bank"), ui.element("div").classes("fields"):
            self._name_again = text_field("its name, to confirm", 48)
            press(join(["Remove it with its hashes"]), self._remove, "plain-button danger")

    def _build_new(self) -> None:
        with ui.element("div").classes("fields"):
            self._new_name = text_field("name", 48)
            self._new_kind = ui.select(list(HASH_KINDS), label="kind", value="pdq").props(
                "dense outlined"
            )
            names = self._categories()
            self._new_category = ui.select(names, label="what a match says", value=names[0]).props(
                "dense outlined"
            )
            press(join(["Make it"]), self._create, "plain-button")
        ui.html(
            join(["It begins with a tenth of its hashes counting; raise that step by step."]),
            sanitize=False,
            tag="p",
        ).classes("quiet small")
        self._new_status = Region("status")

    def _categories(self) -> list[str]:
        return list(dict.fromkeys((*self._services.policy.categories, CHILD_ABUSE, _HARMLESS)))

    # -- showing -----------------------------------------------------------------------------------

    def look(self) -> None:
        """Show what there is."""
        found = self._services.hash_banks.facts()
        name = self._chosen.bank.spec.name if self._chosen else None
        self._chosen = next((one for one in found if one.bank.spec.name == name), None)
        self._list.clear()
        with self._list:
            if not found:
                ui.html(page.NO_BANK, sanitize=False)
            for facts in found:
                with ui.element("div").classes("chips"):
                    ui.html(page.bank_line(facts), sanitize=False)
                    open_ = facts.bank.spec.name == name
                    press(
                        join(["Open"]), partial(self._open, facts), "chip on" if open_ else "chip"
                    )
        sizes = self._services.rules.reader.bank_sizes
        folder = self._services.settings.moderation.banks
        trouble = self._services.rules_watch.trouble
        self._terms.show(page.terms_html(sizes, folder, trouble))
        self._show_one()

    def _open(self, facts: BankFacts) -> None:
        self._chosen, self._after = facts, 0
        spec = facts.bank.spec
        self._category.value = spec.category or _HARMLESS
        self._p.value, self._distance.value = spec.p, spec.distance
        self._quality.value, self._share.value = spec.least_quality, spec.share
        self._active.value = spec.active
        self._lines.value = self._name_again.value = ""
        self._added.show(join([]))
        self.look()

    def _show_one(self) -> None:
        facts = self._chosen
        self._one.set_visibility(facts is not None)
        if facts is None:
            return
        self._meaning.show(page.meaning(facts.bank.spec))
        for box in (self._distance, self._quality):
            box.set_visibility(facts.bank.spec.kind == "pdq")
        name = facts.bank.spec.name
        found = self._services.hash_banks.hashes(name, self._after, _HASHES_SHOWN)
        self._last = found[-1].hash_id if found else self._after
        self._hashes_head.show(page.hashes_head(found, self._after))
        self._hashes.clear()
        with self._hashes:
            for one in found:
                other: HashState = "disabled" if one.state == "active" else "active"
                with ui.element("div").classes("chips"):
                    ui.html(page.hash_line(one), sanitize=False)
                    word = "Disable" if other == "disabled" else "Enable"
                    press(join([word]), partial(self._set_hash, one.hash, other), "chip")
                    press(join(["Drop"]), partial(self._set_hash, one.hash, "removed"), "chip")

    def _turn(self, after: int) -> None:
        self._after = after
        self._show_one()

    def _set_share(self, share: int) -> None:
        self._share.value = share

    # -- doing -------------------------------------------------------------------------------------

    async def _create(self) -> None:
        category = str(self._new_category.value)
        spec = BankSpec(
            name=str(self._new_name.value or "").strip(),
            kind=cast("HashKind", str(self._new_kind.value)),
            category=None if category == _HARMLESS else category,
            share=100 if category == _HARMLESS else 10,
        )
        banks = self._services.hash_banks
        made = await self._do(lambda now_ms: banks.create(spec, now_ms), self._new_status)
        if made is not None:
            self._new_status.show(join([f"{spec.name} is made: open it, and add hashes."]))

    async def _change(self) -> None:
        if self._chosen is None:
            return
        category = str(self._category.value)
        spec = replace(
            self._chosen.bank.spec,
            category=None if category == _HARMLESS else category,
            p=float(self._p.value or 0),
            distance=int(self._distance.value or 0),
            least_quality=int(self._quality.value or 0),
            share=int(self._share.value or 0),
            active=bool(self._active.value),
        )
        banks = self._services.hash_banks
        if await self._do(lambda _: banks.change(spec), self._status) is not None:
            self._status.show(join([f"{spec.name}: as asked."]))

    async def _add(self) -> None:
        if self._chosen is None:
            return
        name, lines = self._chosen.bank.spec.name, str(self._lines.value or "")
        banks = self._services.hash_banks
        done = await self._do(lambda now_ms: banks.add(name, lines, now_ms), self._added)
        if done is not None:
            self._lines.value = ""
            self._added.show(page.added(done))

    async def _dropped(self, event: events.UploadEventArguments) -> None:
        try:
            self._lines.value = (await event.file.read()).decode("utf-8")
        except UnicodeDecodeError:
            self._fault("the file is not text in UTF-8; give lines of HEX or HEX,a note")
            return
        await self._add()

    async def _set_hash(self, digest: str, state: HashState) -> None:
        if self._chosen is not None:
            name, banks = self._chosen.bank.spec.name, self._services.hash_banks
            await self._do(lambda now: banks.set_state(name, digest, state, now), self._added)

    async def _remove(self) -> None:
        if self._chosen is None:
            return
        name, banks = self._chosen.bank.spec.name, self._services.hash_banks
        if str(self._name_again.value or "").strip() != name:
            self._status.show(join([f"That is not its name: type {name} to remove it."]))
            return
        if await self._do(lambda _: banks.remove(name), self._status) is not None:
            self._status.show(join([f"{name} is gone."]))

    async def _rescan(self) -> None:
        self._status.show(join(["At it…"]))
        done = await self._do(lambda _: self._held_again(), self._status)
        if done is not None:
            self._status.show(page.rescanned(done))

    def _held_again(self) -> Rescanned:
        job = self._services.media_rescan
        if self._services.is_media_wanted():
            for items in self._services.catalog.all_items():
                job.enrol_unread(items)
        return job.run()

    async def _do(self, work: Callable[[int], T], trouble: Region) -> T | None:
        """One thing at a time, in a thread; None where it was refused, and then `trouble` says
        why."""
        if self._busy:
            return None
        self._busy = True
        try:
            return await run.io_bound(lambda: work(community_now(self._services)))
        except InhouseError as error:
            trouble.show(_told(str(error)))
            return None
        finally:
            self._busy = False
            self.look()

    def _fault(self, told: str) -> None:
        self._added.show(_told(told))


def _told(fault: str) -> Safe:
    return page.faults_html(fault) if "\n" in fault else words(fault)
