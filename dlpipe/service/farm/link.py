"""What the process of a job is given that may ask for a board."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from dlpipe.service.asked import Asked
from dlpipe.service.farm.desk import Desk
from dlpipe.service.farm.gateway import Gateway
from dlpipe.service.farm.tasks import Farm
from dlpipe.service.places import Places
from dlpipe.service.queue import Lease
from dlpipe.toolchains.agent.farm import FARM


@contextmanager
def link(farm: Farm, places: Places, lease: Lease, asked: Asked) -> Iterator[tuple[Mapping[str, str], tuple[int, ...]]]:
    """Variables and descriptors, while it runs; none for a job that asks for no board."""
    if asked.board is None:
        yield {}, ()
        return
    folder = places.attempt(lease.name, lease.attempt) / "board"
    folder.mkdir()
    desk = Desk(farm, lease.team, folder.relative_to(places.root).as_posix(), asked.board_wait)
    try:
        with Gateway(desk) as gateway:
            yield {FARM: f"{gateway.descriptor}:{folder}"}, (gateway.descriptor,)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
