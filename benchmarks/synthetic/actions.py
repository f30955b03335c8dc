"""The loads on a typed actor: its action ``echo`` on connections, and over HTTP, in the encoding of JavaScript's client."""

from __future__ import annotations

from typing import Final

import cbor2

from benchmarks.synthetic.loads import MESSAGE_BYTES, REQUEST_HEADERS, HttpRequests, OpenSockets
from rivet_runner.protocol.clients import v4
from rivet_runner.protocol.messages import ToClientRequestStart

__all__ = ["ActionRequests", "ActionSockets", "RawRequests"]

VERSION: Final = b"\x04\x00"
MARKS: Final = [b"%04x" % index for index in range(2**16)]
TEXT: Final = "0000" + "x" * (MESSAGE_BYTES - 4)


class ActionSockets(OpenSockets):
    """Connections. Each call has the same id, because calls of one connection are told apart by their marks."""

    path = "/connect"
    protocols = "rivet, rivet_encoding.bare"
    greets = True
    marks = MARKS
    message = VERSION + v4.encode_to_server(v4.ActionRequest(1, "echo", cbor2.dumps([TEXT])))
    answer = VERSION + v4.encode_to_client(v4.ActionResponse(1, cbor2.dumps(TEXT)))


class ActionRequests(HttpRequests):
    """Calls over HTTP."""

    method, target = "POST", "/action/echo"

    def request(self, actor_id: str) -> ToClientRequestStart:
        headers = {**REQUEST_HEADERS, "x-rivet-encoding": "bare", "content-type": "application/octet-stream"}
        body = VERSION + v4.encode_http_action_request(v4.HttpActionRequest(cbor2.dumps([TEXT])))
        return ToClientRequestStart(actor_id, self.method, self.target, headers, body, False)


class RawRequests(ActionRequests):
    """The same headers and body for a `fetch` hook."""

    method, target = "PUT", "/echo"
