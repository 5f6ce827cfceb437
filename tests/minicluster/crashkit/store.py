"""A store of large payloads that a test takes down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crashkit.world import World
from pyflink_durable import Offload


class Shaky:
    """A folder that cannot be reached while the world says so. A `PayloadStore`.

    Args:
        world: Notes each attempt to write that fails.
        threshold: Bytes above which a payload goes there.
    """

    def __init__(self, world: World, threshold: int) -> None:
        self._world = world
        self._folder = Offload(world.folder_of("store").as_uri())
        self.url = self._folder.url
        self.threshold = threshold

    @property
    def _switch(self) -> Path:
        return Path(self._world.folder, "store-is-down")

    def take_down(self) -> None:
        self._switch.touch()

    def bring_back(self) -> None:
        self._switch.unlink()

    def put(self, address: Any, data: bytes) -> None:
        if self._switch.exists():
            self._world.note("store is down", str(address.size))
            raise ConnectionError("the store is down")
        self._folder.put(address, data)

    def get(self, address: Any) -> bytes:
        if self._switch.exists():
            raise ConnectionError("the store is down")
        return self._folder.get(address)
