"""How a WebSocket outlives its actor's sleep.

* `hibernation.index`: the order of message indexes that wrap
* `hibernation.inbound`: which of a client's messages is new, repeated, or shows a gap
* `hibernation.record`: what is kept of a WebSocket while its actor sleeps
* `hibernation.store`: where records are kept
* `hibernation.journal`: stores what was processed, then acknowledges it
* `hibernation.matching`: which sockets to restore, close or let go of when an actor starts
"""
