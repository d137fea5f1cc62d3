"""The jobs of the open pages, and a cache of the pieces that they made."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.partial_piece import PartialPiece


@dataclass(eq=False)
class Job:
    """The generation of one piece for one page.

    Attributes:
        cancelled: whether the page has started another job since.
        finished: set when the job has ended.
    """

    cancelled: bool = False
    finished: asyncio.Event = field(default_factory=asyncio.Event)


class Sessions:
    """At most one job for each page, a bound on the jobs of all pages, and a cache of the latest pieces.

    Args:
        limits: the number of jobs and of cached pieces.
    """

    def __init__(self, limits: StudioLimits) -> None:
        """Starts without jobs and with an empty cache."""
        self._limits = limits
        self._jobs: dict[str, Job] = {}
        self._cache: OrderedDict[str, PartialPiece] = OrderedDict()

    @property
    def num_jobs(self) -> int:
        """How many jobs are running."""
        return len(self._jobs)

    @asynccontextmanager
    async def job(self, page_id: str) -> AsyncIterator[Job]:
        """A context in which a page's job runs. An earlier job of the page is cancelled first.

        Raises:
            RequestError: too many jobs are running.
        """
        while (earlier := self._jobs.get(page_id)) is not None:
            earlier.cancelled = True
            await earlier.finished.wait()
        if len(self._jobs) >= self._limits.max_jobs:
            raise RequestError(503, "studio", f"{len(self._jobs)} pieces are being generated. Try again later.")
        job = self._jobs[page_id] = Job()
        try:
            yield job
        finally:
            del self._jobs[page_id]
            job.finished.set()

    def add_piece(self, piece: PartialPiece) -> str:
        """Adds a piece to the cache and returns an id that cannot be guessed."""
        piece_id = secrets.token_urlsafe(16)
        self._cache[piece_id] = piece
        while len(self._cache) > self._limits.max_cached_pieces:
            self._cache.popitem(last=False)
        return piece_id

    def piece(self, piece_id: str) -> PartialPiece:
        """A piece of the cache.

        Raises:
            RequestError: it is not in the cache, or no longer.
        """
        if piece_id not in self._cache:
            raise RequestError(404, "piece", "no longer in the cache. Generate it again: the same seed gives it again.")
        return self._cache[piece_id]
