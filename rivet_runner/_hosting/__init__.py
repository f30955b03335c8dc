"""The actors of this process: which there are, how each starts and stops, and what reaches it.

* `hosting.registry.ActorRegistry`: the engine's commands → which actors there are
* `hosting.actor_host.Generation`: one generation of one actor, from its start to its ``Stopped``
* `hosting.tunnel.Tunnel`: 8-byte request key → the HTTP exchange or WebSocket it belongs to
* `hosting.requests`: one HTTP exchange
* `hosting.sockets`: one WebSocket's handler, from its open to its close

Hooks run here and nowhere else, always in a task of the actor's own.
"""
