"""The wire between clients and typed actors: messages as frozen Structs, and the functions that encode and decode them.

``v1``, ``v2`` and ``v4`` are versions of the client protocol. Version 3 has the messages of version 2. All modules are generated
from ``protocol/clients/*.bare`` by ``protocol/generate.py``.
"""
