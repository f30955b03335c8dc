"""What watches one runner: its heartbeat, its reports, its HTTP server and its metrics, as the options ask for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rivet_runner._health.heartbeat import Heartbeat
from rivet_runner._health.loop_watch import LoopWatch
from rivet_runner._observing.report import ReportSource, report_to
from rivet_runner._observing.statistics import Statistics

if TYPE_CHECKING:
    from rivet_runner._health.pages import Exposition
    from rivet_runner._health.server import HealthServer

__all__ = ["Monitor"]


class Monitor:
    """Made for each runner, on its event loop. If no option asks for it, it does nothing.

    ``registry`` is that of the option ``metrics``. With a ``port`` and without a registry, the numbers are in the default
    registry of prometheus-client, if that is installed. ``limit``: seconds that the event loop may be blocked. After
    ``block_warning`` seconds, a warning tells by which code; ``None``: no warning.
    """

    def __init__(
        self,
        statistics: Statistics,
        *,
        host: str | None,
        port: int | None,
        limit: float,
        registry: Any | None,
        block_warning: float | None,
    ) -> None:
        self._host = host
        self._wanted_port = port
        self._limit = limit
        self._registry = registry
        self._withdraw: Callable[[], None] | None = None
        self._server: HealthServer | None = None
        self._heartbeat = Heartbeat(statistics.loop_lag_seconds.observe)
        self._watch = None if block_warning is None else LoopWatch(self._heartbeat, block_warning)

    @property
    def port(self) -> int | None:
        """The port of the HTTP server, while there is one."""
        return None if self._server is None else self._server.port

    @property
    def blocked(self) -> float:
        """Seconds that the event loop is late. Safe in any thread."""
        return self._heartbeat.late

    def start(self, report: ReportSource) -> None:
        """Begin, before the runner connects. ``report`` makes its reports.

        Raises `OSError` if the port cannot be had, and `ValueError` if the registry has metrics with these names already.
        """
        tell = report_to.get()
        asked = self._wanted_port is not None or self._registry is not None or tell is not None
        if asked:
            self._offer(report)
        if asked or self._watch is not None:
            self._heartbeat.start()
        if self._watch is not None:
            self._watch.start()
        if tell is not None:
            tell(report)

    def _offer(self, report: ReportSource) -> None:
        exposition = self._publish(report)
        if self._wanted_port is not None:
            from rivet_runner._health.pages import Pages
            from rivet_runner._health.server import HealthServer

            pages = Pages(lambda: [report()], self._limit, exposition)
            self._server = HealthServer(self._host, self._wanted_port, pages.answer)
            self._server.start()

    async def close(self) -> None:
        """End, when the runner is down. What was counted stays in the registry. Also after a `start` that has failed."""
        if self._watch is not None:
            self._watch.stop()
        self._heartbeat.stop()
        if self._withdraw is not None:
            self._withdraw()
            self._withdraw = None
        server, self._server = self._server, None
        if server is not None:
            await server.close()

    def _publish(self, report: ReportSource) -> Exposition | None:
        """Put the numbers into the registry. Return the text for ``/metrics``, or ``None`` without the extra."""
        if self._registry is None and self._wanted_port is None:
            return None
        try:
            from rivet_runner import _metrics
        except ImportError:
            if self._registry is not None:
                raise ImportError('the option metrics needs an extra: pip install "rivet-runner[metrics]"') from None
            return None
        registry = _metrics.default_registry() if self._registry is None else self._registry
        self._withdraw = _metrics.publish(registry, report)
        return _metrics.exposition(registry)
