"""The state that survives a reconnect, without any I/O: bytes in, decisions out.

Nothing in this package imports asyncio, opens a socket, reads a clock or logs at the pace of messages. Time comes in as an
argument. Therefore the rules of the protocol can be tested as tables and state machines.

* `session.Session`: takes the engine's messages, returns decisions, and knows the messages to send and their order
* `dialect.Dialect`: the part that differs between versions of the protocol, and `dialects` the versions that there are
* `dialect_v3.DialectV3`: version 3. `events.EventLog` keeps its events until the engine confirms them, and
  `event_spacing.EventSpacing` knows when the next of them may leave
* `dialect_v7.DialectV7`: version 7, with `event_checkpoints.EventCheckpoints` and `command_checkpoints.CommandCheckpoints`
* `kv_ledger.KvLedger`: key-value calls without an answer
* `outbox.Outbox`: tunnel messages that have not left yet, up to a bound, in a queue for each gateway
* `answers.SentAnswers`: HTTP answers that are sent again if the connection breaks
* `pace.Pace`: how fast they may leave, with `gateway.Gateway`, `window.Window` and `round_trips.RoundTrips`
"""
