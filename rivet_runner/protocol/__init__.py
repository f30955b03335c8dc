"""The wire: a module a protocol version, generated from ``protocol/*.bare`` by ``protocol/generate.py``.

Here live the messages as frozen Structs and the functions that turn them into bytes and back (:mod:`.v3`),
and the few primitives that the generated functions share (:mod:`._bare`). What a message means, when it may
be sent, and which version is spoken are for the session and the layers above it; nothing here does I/O or
keeps state.
"""
