"""The actors of this process: how each starts and stops, and how requests and WebSockets reach it.

* `registry`: the engine's commands, carried out
* `generation`: one generation of one actor, from its start to its ``Stopped``, with its state in `generation_state`
* `stopping`: the order in which it stops, for one of the `stop_causes`
* `tunnel`: from an 8-byte request key to the HTTP exchange or WebSocket that it belongs to
* `requests`: one HTTP exchange
* `actor_sockets`: the handlers of an actor's WebSockets, with `restoring` for those that hibernated
* `services`: the parts that all generations share, with `hooks`, `slow_starts` and `socket_table`

Hooks that are given an actor run here and nowhere else, always in a task of the actor's own.
"""
