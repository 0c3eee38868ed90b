"""The page `/staff`."""

from collections.abc import Callable
from functools import partial
from typing import Final

from fastapi import Request
from nicegui import run, ui

from inhouse.app.build import Services
from inhouse.app.staff.types import ROLES, Member
from inhouse.console.access import visitor_of
from inhouse.console.boxes import Box
from inhouse.console.frame import Region, frame, panel, press, section
from inhouse.console.markup import join, tag, words
from inhouse.console.staff import page
from inhouse.core.clock import SystemClock
from inhouse.core.errors import InhouseError

_PROPS: Final = "dense outlined"


def register(services: Services) -> None:
    """Add the page."""

    @ui.page("/staff")
    def staff(request: Request) -> None:
        who = visitor_of(request)
        with frame(request, "/staff", "Staff"):
            ui.html(page.HEADING, sanitize=False)
            if who.name is None:
                with panel():
                    ui.html(page.NOBODY, sanitize=False).classes("prose")
                return
            _Staff(services, who.name).look()


class _Staff:
    """The list, a form for somebody new, and what is told once."""

    def __init__(self, services: Services, by: str) -> None:
        self._staff = services.staff
        self._by = by
        self._once: tuple[str, str] | None = None  # whose, and the password that is shown once
        self._status = Region("status")
        self._told_panel = panel("A one-time password").classes("roomy")
        with self._told_panel:
            self._told = Region()
        self._told_panel.set_visibility(False)
        with section("Who works here"), panel():
            self._list = ui.element("div").classes("controls")
        with ui.element("div").classes("two tops"):
            with panel("Somebody new").classes("roomy"), ui.element("div").classes("fields"):
                self._name = ui.input("name").props(f"{_PROPS} maxlength=60 autocomplete=off")
                self._role = ui.select(list(ROLES), label="role", value="moderator").props(_PROPS)
                press(join(["Add"]), self._add, "plain-button")
            with panel("Roles"):
                ui.html(page.roles_html(), sanitize=False)

    def look(self) -> None:
        """Show who there is."""
        now_ms = SystemClock().now_ms()
        self._list.clear()
        with self._list:
            for member in self._staff.list():
                with ui.element("div").classes("chips"):
                    ui.html(page.member_line(member, now_ms), sanitize=False)
                    if member.state != "erased":
                        self._buttons(member)

    def _buttons(self, member: Member) -> None:
        press(join(["Role"]), partial(self._ask_role, member), "chip")
        reset = partial(self._ask, "New password", page.RESET_WORDS, partial(self._reset, member))
        press(join(["New password"]), reset, "chip")
        if member.state != "off":
            off = partial(self._ask, "Switch off", page.OFF_WORDS, partial(self._off, member))
            press(join(["Switch off"]), off, "chip")
        erase = partial(self._ask, "Erase", page.ERASE_WORDS, partial(self._erase, member))
        press(join(["Erase"]), erase, "chip")

    # -- asking ------------------------------------------------------------------------------------

    def _ask(self, name: str, text: str, work: Callable[[], str]) -> None:
        box = Box(name, name)
        with box.body:
            ui.html(tag("p", text), sanitize=False)

        async def done() -> None:
            await self._do(work)

        box.on_done = done
        box.open()

    def _ask_role(self, member: Member) -> None:
        box = Box(f"Another role for {member.name}", "Give it")
        with box.body:
            role = ui.select(list(ROLES), label="role", value=member.role).props(_PROPS)

        async def done() -> None:
            await self._do(partial(self._set_role, member, role))

        box.on_done = done
        box.open()

    # -- doing -------------------------------------------------------------------------------------

    async def _add(self) -> None:
        try:
            await self._do(self._added)
        except InhouseError as error:
            self._status.show(words(str(error)))
        else:
            self._name.value = ""

    def _added(self) -> str:
        name, role = str(self._name.value or ""), str(self._role.value)
        member, once = self._staff.add(name, role, self._by)
        self._once = member.name, once
        return f"{member.name} is added."

    def _reset(self, member: Member) -> str:
        self._once = member.name, self._staff.reset(member.name, self._by)
        return f"{member.name} comes in by another password."

    def _off(self, member: Member) -> str:
        self._staff.off(member.name, self._by)
        return f"{member.name} is switched off."

    def _erase(self, member: Member) -> str:
        self._staff.erase(member.name, self._by)
        return f"{member.name} is erased."

    def _set_role(self, member: Member, role: ui.select) -> str:
        self._staff.set_role(member.name, str(role.value), self._by)
        return f"{member.name}: {role.value}, from their next sign-in on."

    async def _do(self, work: Callable[[], str]) -> None:
        """In a thread, as hashing takes its time; then show what there is."""
        self._once = None
        told = await run.io_bound(work)
        self._status.show(join([told]))
        self._told_panel.set_visibility(self._once is not None)
        self._told.show(page.told(*self._once) if self._once else join([]))
        self.look()
