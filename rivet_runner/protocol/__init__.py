"""The wire: messages as frozen Structs, and the functions that turn them into bytes and back.

``messages`` has the messages that mean the same in every version of the protocol. ``v3`` and ``v7`` are those
versions: each has all of its messages, and its own ``encode_*`` and ``decode_*``. All three are generated from
``protocol/*.bare`` by ``protocol/generate.py``, as is ``_shared``. ``_bare`` has the few primitives that the
generated functions use.

The meaning of a message, the time at which it may be sent, and the choice of the version are for the session and the layers
above it. Nothing here does I/O or keeps state.
"""
