"""The table of close reasons, and how a reason is taken apart."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivet_runner._connection.close_reasons import CLOSE_ACTIONS, CloseAction, CloseReason, close_action

NAMES = st.from_regex(re.compile(r"[A-Za-z0-9_-]+", re.ASCII), fullmatch=True)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("ws.eviction", CloseAction.EVICTED),
        ("ws.eviction#01J", CloseAction.EVICTED),
        ("ws.eviction#", CloseAction.EVICTED),
        ("pegboard.runner_shutdown", CloseAction.SHUT_DOWN),
        ("ws.going_away#r", CloseAction.RECONNECT_NOW),
        ("namespace.not_found#r", CloseAction.REJECTED),
        ("guard.missing_header#r", CloseAction.REJECTED),
        ("api.forbidden#r", CloseAction.REJECTED),
        ("ws.invalid_url#r", CloseAction.REJECTED),
        ("ws.invalid_packet#r", CloseAction.RECONNECT),
        ("", CloseAction.RECONNECT),
        ("ws", CloseAction.RECONNECT),
        ("ws.", CloseAction.RECONNECT),
        (".eviction", CloseAction.RECONNECT),
        ("WS.EVICTION", CloseAction.RECONNECT),
        ("ws.eviction ", CloseAction.RECONNECT),
        (" ws.eviction", CloseAction.RECONNECT),
        ("ws.eviction.more", CloseAction.RECONNECT),
        ("ws.eviction\n", CloseAction.RECONNECT),
        ("ws.evictionist", CloseAction.RECONNECT),
        ("x#ws.eviction", CloseAction.RECONNECT),
    ],
)
def test_the_action_is_the_tables_when_a_reason_is_looked_up(text: str, action: CloseAction) -> None:
    assert close_action(CloseReason.parse(text)) is action


def test_the_table_holds_what_the_design_says_when_it_is_listed() -> None:
    assert {name: action.name for name, action in CLOSE_ACTIONS.items()} == {
        "ws.eviction": "EVICTED",
        "pegboard.runner_shutdown": "SHUT_DOWN",
        "ws.going_away": "RECONNECT_NOW",
        "namespace.not_found": "REJECTED",
        "guard.missing_header": "REJECTED",
        "api.forbidden": "REJECTED",
        "ws.invalid_url": "REJECTED",
    }


@given(group=NAMES, error=NAMES, ray=st.none() | st.text(min_size=1))
def test_the_parts_come_back_when_a_reason_is_parsed(group: str, error: str, ray: str | None) -> None:
    reason = CloseReason.parse(f"{group}.{error}" + ("" if ray is None else f"#{ray}"))
    assert reason == CloseReason(group=group, error=error, ray_id=ray)
    assert reason is not None
    assert reason.name == f"{group}.{error}"


@given(st.text())
def test_any_text_has_an_action_when_it_is_no_known_reason(text: str) -> None:
    action = close_action(CloseReason.parse(text))
    known = text.partition("#")[0] in CLOSE_ACTIONS
    assert (action is CloseAction.RECONNECT) is not known
