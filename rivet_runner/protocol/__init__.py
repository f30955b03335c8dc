"""The wire: a module for each protocol version, generated from ``protocol/*.bare`` by ``protocol/generate.py``.

A generated module has the messages as frozen Structs, and functions that encode and decode them. :mod:`._bare` has
the primitives that they share, and :mod:`.tunnel_ids` the arithmetic of request keys and message indexes. The session
and the layers above it decide about the meaning of messages, their order and the protocol version. This package does
no I/O and keeps no state.
"""
