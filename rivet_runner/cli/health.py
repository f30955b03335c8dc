"""The probes of ``run``: one port of the command for all of its workers."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

from rivet_runner._health.pages import Exposition, Pages
from rivet_runner._health.server import HealthServer
from rivet_runner._observing.report import Report, decode_report
from rivet_runner.cli.console import note
from rivet_runner.cli.errors import CommandError
from rivet_runner.cli.reporting import REPORT_SECONDS

__all__ = ["WorkerReports", "serve_probes"]

LIMIT_SECONDS: Final = 5.0
"""Seconds that the event loop of a worker may be blocked, or that its process may not report, as in `RunnerConfig`."""

LONGEST_LINE: Final = 1024 * 1024
"""Bytes. A report has some kilobytes."""

NOT_YET: Final = Report("", "starting", 0, 0.0, 0, 0, 0, 0)


class WorkerReports:
    """The last report of one worker, which may start anew. Read in any thread."""

    def __init__(self) -> None:
        self._last: Report | None = None
        self._came = 0.0
        self.counted: Callable[[], Callable[[], None]] | None = None
        """Has the numbers shown among the metrics, and returns a function to call when the process has ended."""

    def report(self) -> Report:
        """The worker as it is now. One that is silent counts as blocked."""
        last = self._last
        if last is None:
            return NOT_YET
        silent = time.monotonic() - self._came - 2 * REPORT_SECONDS
        return dataclasses.replace(last, blocked=max(last.blocked, silent))

    def numbers(self) -> Report:
        """The same, for the metrics: without a report there is nothing to count."""
        assert self._last is not None
        return self.report()

    async def follow(self, end: socket.socket) -> None:
        """Take the reports of one process, until it ends. Cancelling is safe."""
        reader, writer = await asyncio.open_connection(sock=end, limit=LONGEST_LINE)
        withdraw: Callable[[], None] | None = None
        try:
            while line := await reader.readline():
                self._last, self._came = decode_report(line), time.monotonic()
                if withdraw is None and self.counted is not None:
                    withdraw = self.counted()
        except (OSError, ValueError):
            pass  # the process was killed in the middle of a line
        finally:
            if withdraw is not None:
                withdraw()
            self._last = None
            writer.close()


@contextlib.asynccontextmanager
async def serve_probes(port: int | None, workers: Iterable[WorkerReports]) -> AsyncIterator[None]:
    """Serve the probes of all ``workers`` on ``port`` for a block. Raises `CommandError` if the port cannot be had."""
    if port is None:
        yield
        return
    workers = [*workers]
    pages = Pages(lambda: [worker.report() for worker in workers], LIMIT_SECONDS, _metrics(workers))
    try:
        server = HealthServer(None, port, pages.answer)
    except OSError as error:
        raise CommandError(f"the port {port} of --health-port cannot be had: {error.strerror or error}") from None
    server.start()
    note(f"/healthz, /readyz and /metrics are at port {server.port}")
    try:
        yield
    finally:
        await server.close()


def _metrics(workers: list[WorkerReports]) -> Exposition | None:
    try:
        from prometheus_client import CollectorRegistry

        from rivet_runner import _metrics
    except ImportError:
        return None
    registry = CollectorRegistry()
    for worker in workers:
        worker.counted = functools.partial(_metrics.publish, registry, worker.numbers)
    return _metrics.exposition(registry)
