"""What clients and typed actors say to each other, in JSON, CBOR and BARE. Nothing here does I/O or keeps state.

`messages` has the messages with plain Python data inside. `encodings` has a `Codec` for each of the three encodings, in
`json_codec`, `cbor_codec` and `bare_codec`. `envelopes` is what the first two have in common. `values` knows how JavaScript
writes a value that JSON or CBOR lacks. `subprotocols` reads and writes the subprotocols of a WebSocket.

Plain data is `None`, `bool`, `int`, `float`, `str`, `bytes`, an aware `datetime`, and `list`, `dict` and `set` of them.
"""
