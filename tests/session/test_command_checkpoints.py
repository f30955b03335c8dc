"""Version 7's commands by themselves: each is new once, and is acknowledged until that has arrived."""

from __future__ import annotations

import pytest

from rivet_runner._session.command_checkpoints import MAX_BATCH, CommandCheckpoints
from rivet_runner.protocol.v7 import ActorCheckpoint

A1 = ("a1", 1)


def at(index: int, actor_id: str = "a1") -> ActorCheckpoint:
    return ActorCheckpoint(actor_id, 1, index)


@pytest.fixture
def commands() -> CommandCheckpoints:
    """A generation that was started here."""
    commands = CommandCheckpoints()
    assert commands.receive(at(0), starts=True)
    return commands


@pytest.mark.parametrize(
    ("indexes", "new"),
    [
        ([0], [False]),
        ([1, 1], [True, False]),
        ([2, 1], [True, False]),
        ([1, 0, 2], [True, False, True]),
        ([-1], [False]),
    ],
)
def test_a_command_is_new_when_its_index_is_beyond_the_last(
    commands: CommandCheckpoints, indexes: list[int], new: list[bool]
) -> None:
    assert [commands.receive(at(index), starts=False) for index in indexes] == new


def test_the_last_command_of_each_generation_is_acknowledged_once(commands: CommandCheckpoints) -> None:
    commands.receive(at(1), starts=False)
    commands.receive(at(0, "a2"), starts=True)
    assert commands.unacknowledged == 2
    assert commands.take(0) == [at(1), at(0, "a2")]
    assert commands.take(0) == []


def test_a_command_is_acknowledged_again_when_it_is_repeated(commands: CommandCheckpoints) -> None:
    commands.take(0)
    assert not commands.receive(at(0), starts=True)
    assert commands.take(1) == [at(0)]


def test_a_batch_is_full_when_there_are_more_generations() -> None:
    commands = CommandCheckpoints()
    for number in range(MAX_BATCH + 1):
        commands.receive(at(0, f"a{number}"), starts=True)
    assert len(commands.take(0)) == MAX_BATCH
    assert commands.take(0) == [at(0, f"a{MAX_BATCH}")]


def test_acknowledgements_are_repeated_when_a_lost_connection_resumes(commands: CommandCheckpoints) -> None:
    commands.take(0)
    commands.receive(at(0, "a2"), starts=True)
    commands.resume()
    assert sorted(checkpoint.actor_id for checkpoint in commands.take(1)) == ["a1", "a2"]


def test_a_confirmed_acknowledgement_is_not_repeated(commands: CommandCheckpoints) -> None:
    commands.take(1.0)
    commands.confirm_sent_before(1.0)
    commands.resume()
    assert commands.take(2) == [at(0)], "it was not sent before"
    commands.confirm_sent_before(2.5)
    commands.resume()
    assert commands.take(3) == []


def test_a_generation_is_remembered_until_it_has_ended_and_its_acknowledgement_has_arrived(
    commands: CommandCheckpoints,
) -> None:
    commands.take(0)
    commands.confirm_sent_before(5)
    assert len(commands) == 1, "it runs"
    commands.receive(at(1), starts=False)
    commands.end(A1)
    assert len(commands) == 1, "its stop is not acknowledged"
    commands.take(10)
    commands.confirm_sent_before(9)
    assert len(commands) == 1, "the acknowledgement may be lost"
    assert not commands.receive(at(0), starts=True)
    commands.take(11)
    commands.confirm_sent_before(11)
    assert len(commands) == 1, "a second acknowledgement is on its way"
    commands.confirm_sent_before(12)
    assert len(commands) == 0


def test_a_generation_is_forgotten_at_once_when_it_ends_long_after_its_start(commands: CommandCheckpoints) -> None:
    commands.take(0)
    commands.confirm_sent_before(5)
    commands.end(A1)
    assert len(commands) == 0
    commands.end(A1)
    assert commands.take(6) == []


def test_a_stop_of_an_unknown_generation_is_handed_on_acknowledged_and_forgotten() -> None:
    commands = CommandCheckpoints()
    assert commands.receive(at(1), starts=False)
    assert commands.take(0) == [at(1)]
    commands.confirm_sent_before(1)
    assert len(commands) == 0


def test_nothing_is_left_when_the_commands_start_over(commands: CommandCheckpoints) -> None:
    commands.receive(at(0, "a2"), starts=True)
    commands.take(0)
    commands.receive(at(1), starts=False)
    commands.end(A1)
    commands.start_over()
    assert (len(commands), commands.take(1)) == (0, [])
    commands.confirm_sent_before(5)
    assert commands.receive(at(0), starts=True)
