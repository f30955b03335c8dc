"""The state that survives a reconnect, without any I/O: bytes in, decisions out.

Nothing in this package imports asyncio, opens a socket, reads a clock or logs at the pace of messages. Time comes in as an
argument. Therefore the rules of the protocol can be tested as tables and state machines.

* `session.Session`: takes the engine's messages, returns decisions, and knows the messages to send and their order
* `events.EventLog`: the runner's events, with strictly consecutive indexes, until the engine confirms them
* `event_spacing.EventSpacing`: when the next of them may leave
* `kv_ledger.KvLedger`: key-value calls without an answer
* `outbox.Outbox`: tunnel messages that have not left yet, up to a bound, in a queue for each gateway
* `answers.SentAnswers`: HTTP answers that are sent again if the connection breaks
* `pace.Pace`: how fast they may leave, with `gateway.Gateway`, `window.Window` and `round_trips.RoundTrips`
* `dialect.Dialect`: the part that differs between versions of the protocol. `dialect_v3` and `dialect_v7` are the versions,
  `event_checkpoints` and `command_checkpoints` the logs of version 7. The session does not use them yet: it speaks version 3
"""
