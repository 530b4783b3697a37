"""A world to watch, for every test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from watching.kit import MONDAY, World

Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes worlds, each on a ledger of its own."""
    made: list[World] = []

    def build(policy: str = "", *, now_us: int = MONDAY) -> World:
        world = World(tmp_path / f"ledger-{len(made)}.db", policy, now_us)
        made.append(world)
        return world

    yield build
    for world in made:
        world.close()


@pytest.fixture
def world(make: Make) -> World:
    """A world in which each tenant is watched by the hour."""
    return make()
