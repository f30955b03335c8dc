"""The codec of each encoding."""

from __future__ import annotations

from typing import Final

from rivet_runner.actors._wire.bare_codec import BareCodec
from rivet_runner.actors._wire.cbor_codec import CborCodec
from rivet_runner.actors._wire.codec import VERSION, VERSIONS, Codec, Encoding
from rivet_runner.actors._wire.json_codec import JsonCodec

__all__ = ["VERSION", "VERSIONS", "Codec", "Encoding", "codec"]

_CODECS: Final[dict[Encoding, Codec]] = {made.encoding: made for made in (JsonCodec(), CborCodec(), BareCodec())}


def codec(encoding: Encoding) -> Codec:
    """The codec of ``encoding``."""
    return _CODECS[encoding]
