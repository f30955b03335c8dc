"""One client's WebSocket, and how it outlives its actor's sleep.

* `socket`: the machine behind `rivet_runner.WebSocket`
* `delivery`: the contract between a hibernatable socket, its bookkeeping and the journal
* `hibernatable`: that bookkeeping, with `inbound` (which message is new), `hold` (messages that wait for the gateway),
  `repair` (one gap) and `journal` (stores processed messages, then acknowledges them)
* `replays`: recovers lost messages for all sockets of a runner, in `turns`
* `close_frames`: the close codes and reasons that a client accepts
"""
