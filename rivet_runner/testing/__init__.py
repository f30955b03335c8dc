"""A simulated engine for tests, a real engine on this machine and a client for it.

::

    async with LocalEngine() as engine:
        api = EngineApi(engine.endpoint)
        await api.upsert_runner_config("counter")
        actor = await api.create_actor("counter", runner_name="counter")
        response = await api.request(actor.actor_id, "GET", "/count")

You can do without a binary, a port and real waiting::

    async with SimulatedEngine() as engine, engine.host(Counter):
        counter = await engine.create("counter", key="a")
        response = await counter.request("GET", "/count")

The runner itself imports nothing from here. `SimulatedEngine.listen` requires ``rivet-runner[simulated]``. The other tools
need no further dependencies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rivet_runner._lazy import lazy_names

if TYPE_CHECKING:
    from rivet_runner.testing.engine_api import EngineApi
    from rivet_runner.testing.engine_binary import EngineNotFound
    from rivet_runner.testing.engine_types import ActorInfo, EngineApiError
    from rivet_runner.testing.faults import Faults
    from rivet_runner.testing.hibernation import MemoryHibernationStore, MemoryHibernationStores
    from rivet_runner.testing.http_client import HttpExchangeFailed, HttpResponse
    from rivet_runner.testing.local_engine import EngineStartFailed, LocalEngine
    from rivet_runner.testing.real_engine import RealActorHandle, RealEngine
    from rivet_runner.testing.simulated_engine import SimulatedActorHandle, SimulatedEngine
    from rivet_runner.testing.virtual_clock import VirtualLoop, virtual_loop

__all__ = [
    "ActorInfo",
    "EngineApi",
    "EngineApiError",
    "EngineNotFound",
    "EngineStartFailed",
    "Faults",
    "HttpExchangeFailed",
    "HttpResponse",
    "LocalEngine",
    "MemoryHibernationStore",
    "MemoryHibernationStores",
    "RealActorHandle",
    "RealEngine",
    "SimulatedActorHandle",
    "SimulatedEngine",
    "VirtualLoop",
    "virtual_loop",
]

_MODULES = {
    "engine_api": ("EngineApi",),
    "engine_binary": ("EngineNotFound",),
    "engine_types": ("ActorInfo", "EngineApiError"),
    "faults": ("Faults",),
    "hibernation": ("MemoryHibernationStore", "MemoryHibernationStores"),
    "http_client": ("HttpExchangeFailed", "HttpResponse"),
    "local_engine": ("EngineStartFailed", "LocalEngine"),
    "real_engine": ("RealActorHandle", "RealEngine"),
    "simulated_engine": ("SimulatedActorHandle", "SimulatedEngine"),
    "virtual_clock": ("VirtualLoop", "virtual_loop"),
}

# A type checker sees the imports above instead, and so finds misspelt names.
if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
