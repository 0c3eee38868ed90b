"""A value that is asked for with every call and read now and then."""

import asyncio

import pytest

from inhouse.core.errors import StoreError
from inhouse.models.bounds.known import Known


class _Source:
    """Counts how often it is read; may fail."""

    def __init__(self) -> None:
        self.reads = 0
        self.broken = False

    def read(self) -> int:
        if self.broken:
            raise StoreError("away")
        self.reads += 1
        return self.reads


def test_it_is_read_once_for_all_and_then_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred who ask at once are one read; an aging value is given while it is read anew; none
    older than two seconds is given, and where it cannot be read whoever asks hears why."""
    now_s, source = 100.0, _Source()
    monkeypatch.setattr("inhouse.models.bounds.known.monotonic", lambda: now_s)

    async def play() -> None:
        nonlocal now_s
        known = Known(source.read)
        assert set(await asyncio.gather(*(known.get() for _ in range(100)))) == {1}
        now_s += 0.9
        assert (await known.get(), source.reads) == (1, 1)
        now_s += 0.2
        assert await known.get() == 1
        await asyncio.sleep(0.1)
        assert (await known.get(), source.reads) == (2, 2)
        source.broken = True
        now_s += 1.5
        assert await known.get() == 2
        await asyncio.sleep(0.1)
        now_s += 0.5
        with pytest.raises(StoreError, match="away"):
            await known.get()
        source.broken = False
        assert await known.get() == 3

    asyncio.run(play())
