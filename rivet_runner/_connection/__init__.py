"""The live link to the engine: dial, handshake, keepalive, close reasons, and when to try again.

Everything about sockets and retries belongs here. The state that survives a reconnect belongs to `rivet_runner._session`,
which knows no socket.

* `reconnecting.ReconnectLoop`: keeps one connection, and decides about every retry, with `backoff` and `close_reasons`
* `engine_socket.EngineSocket`: one WebSocket, with `frames` and `subprotocols`
* `uplink.Uplink`: the way up, one write for each turn of the event loop
* `reading.Reading`: the end of a read on the way down, with `arrivals` and `busy_poll`
"""
