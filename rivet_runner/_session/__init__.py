"""What must survive a reconnect, without any I/O: bytes in, decisions out.

Nothing in this package imports asyncio, opens a socket, reads a clock or logs at the pace of messages. Time comes in as an
argument. That is what makes the rules of the protocol testable as tables and state machines.

* `session.Session`: the engine's messages in, decisions out; what to send, and in which order
* `events.EventLog`: the runner's events, their strictly consecutive indexes, and which the engine has not confirmed
* `kv_ledger.KvLedger`: key-value calls that have no answer yet
* `outbox.Outbox`: tunnel messages that have not left yet, within a bound and at a pace
"""
