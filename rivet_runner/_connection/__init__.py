"""The live link to the engine: dial, handshake, keepalive, why it ended, and when to try again.

What belongs here is everything that knows about sockets and retries. What must survive a reconnect does not: that is
`rivet_runner._session`, which knows no socket.
"""
