"""The token's subprotocol is found and hidden wherever others have written it."""

from __future__ import annotations

import pytest

from rivet_runner._connection.subprotocols import has_token, offered_subprotocols, without_token


@pytest.mark.parametrize("text", ["{}", "Sec-WebSocket-Protocol: rivet, {}", "('rivet', '{}')", '"{}"; {},{}', "a {}\n{}"])
def test_no_token_is_left_when_a_text_quotes_it(text: str) -> None:
    token = "s3cr3t'!#$%&*+.^_`|~-"
    (_, subprotocol) = offered_subprotocols(token)
    quoting = text.replace("{}", subprotocol)
    assert has_token(quoting)
    assert without_token(quoting) == text.replace("{}", "rivet_token.***")


def test_a_text_stays_as_it_is_when_it_has_no_token() -> None:
    assert not has_token("the engine answered 'rivet'")
    assert without_token("the engine answered 'rivet'") == "the engine answered 'rivet'"
