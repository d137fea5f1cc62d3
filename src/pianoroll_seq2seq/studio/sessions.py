"""The jobs of the open pages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.studio.limits import StudioLimits


@dataclass(eq=False)
class Job:
    """The writing of some takes for one page.

    Attributes:
        cancelled: whether the page has started another job since.
        finished: set when the job has ended.
    """

    cancelled: bool = False
    finished: asyncio.Event = field(default_factory=asyncio.Event)


class Sessions:
    """At most one job for each page, and a bound on the jobs of all pages.

    Args:
        limits: the number of jobs.
    """

    def __init__(self, limits: StudioLimits) -> None:
        """Starts without jobs."""
        self._limits = limits
        self._jobs: dict[str, Job] = {}

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
