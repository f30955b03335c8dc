"""Which actor a handle is for, and how to learn its id."""

from __future__ import annotations

import asyncio
import base64
from abc import ABC, abstractmethod
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from rivet_runner.actors._client.link import Link
from rivet_runner.actors._client.replies import json_of
from rivet_runner.actors._keys import join_key
from rivet_runner.actors._types.plain import plain
from rivet_runner.actors._wire.values import dump_cbor
from rivet_runner.actors.errors import ActorError

__all__ = ["ById", "ByKey", "NewActor", "Target", "create_actor", "is_gone"]

CREATE_ATTEMPTS: Final = 8
CREATE_PAUSE: Final = 0.05
"""Seconds before the second attempt, at most. Two clients that create one actor at a time may both have to ask again."""

CRASH_POLICY: Final = "sleep"
"""A crashed actor keeps its data, and its next request starts it again."""


class _Actor(msgspec.Struct, frozen=True):
    actor_id: str
    destroy_ts: int | None = None


class _Found(msgspec.Struct, frozen=True):
    actor: _Actor


class _Actors(msgspec.Struct, frozen=True):
    actors: list[_Actor]


class NewActor(msgspec.Struct, frozen=True):
    """An actor that may have to be created. ``input`` is `None`, or anything that can be encoded."""

    name: str
    key: tuple[str, ...]
    input: Any
    pool: str

    def body(self) -> bytes:
        """The JSON for the engine. Raises `TypeError` or `ValueError` for an input that cannot be encoded."""
        fields = {
            "name": self.name,
            "key": join_key(self.key),
            "runner_name_selector": self.pool,
            "crash_policy": CRASH_POLICY,
        }
        if self.input is not None:
            fields["input"] = base64.b64encode(dump_cbor(plain(self.input))).decode()
        return msgspec.json.encode(fields)


class Target(ABC):
    """One actor."""

    @abstractmethod
    async def actor_id(self) -> str:
        """The actor's id, from memory if it is known. Raises `ActorError` and `ClientError`. Cancelling is safe."""

    @abstractmethod
    def doubt(self, actor_id: str) -> None:
        """An answer says that there is no actor with this id. So the next `actor_id` asks the engine."""


class ById(Target):
    """An actor whose id is known."""

    def __init__(self, link: Link, actor_id: str) -> None:
        self._link = link
        self._actor_id = actor_id
        self._is_certain = True

    def __str__(self) -> str:
        return self._actor_id

    async def actor_id(self) -> str:
        if not self._is_certain:
            await self._verify()
            self._is_certain = True
        return self._actor_id

    def doubt(self, actor_id: str) -> None:
        self._is_certain = False

    async def _verify(self) -> None:
        query = {"namespace": self._link.namespace, "actor_ids": self._actor_id}
        found = json_of(await self._link.call_api("GET", f"/actors?{urlencode(query)}"), _Actors).actors
        if not found or found[0].destroy_ts is not None:
            raise ActorError("actor", "not_found", f"there is no actor {self} any more")


class ByKey(Target):
    """The actor of a name and a key. With ``new`` it is created if there is none."""

    def __init__(self, link: Link, name: str, key: tuple[str, ...], new: NewActor | None) -> None:
        self._link = link
        self._name = name
        self._key = key
        self._new = new
        self._actor_id: str | None = None
        self._asking = asyncio.Lock()

    def __str__(self) -> str:
        return "/".join((self._name, *self._key))

    async def actor_id(self) -> str:
        async with self._asking:
            if self._actor_id is None:
                self._actor_id = await (self._find() if self._new is None else _create(self._link, "PUT", self._new))
            return self._actor_id

    def doubt(self, actor_id: str) -> None:
        if self._actor_id == actor_id:
            self._actor_id = None

    async def _find(self) -> str:
        query = {"namespace": self._link.namespace, "name": self._name, "key": join_key(self._key)}
        found = json_of(await self._link.call_api("GET", f"/actors?{urlencode(query)}"), _Actors).actors
        if not found:
            raise ActorError("actor", "not_found", f"there is no actor {self}: get_or_create makes one")
        return found[0].actor_id


async def create_actor(link: Link, new: NewActor) -> str:
    """Create an actor and return its id. Raises `ActorError`, such as ``actor.duplicate_key``."""
    return await _create(link, "POST", new)


def is_gone(error: ActorError) -> bool:
    """Whether ``error`` says that there is no actor with this id any more."""
    return (error.group, error.code) in (("actor", "not_found"), ("actor", "destroyed_while_waiting_for_ready"))


async def _create(link: Link, method: str, new: NewActor) -> str:
    target = f"/actors?{urlencode({'namespace': link.namespace})}"
    body = new.body()

    async def ask() -> str:
        return json_of(await link.call_api(method, target, body), _Found).actor.actor_id

    attempts = AsyncRetrying(
        retry=retry_if_exception(_lost_race if method == "POST" else _may_have_lost_race),
        stop=stop_after_attempt(CREATE_ATTEMPTS),
        wait=wait_random_exponential(multiplier=CREATE_PAUSE, max=1.0),
        reraise=True,
    )
    return await attempts(ask)


def _lost_race(error: BaseException) -> bool:
    """Whether another client created the same actor at the same time."""
    return isinstance(error, ActorError) and error.code == "destroyed_during_creation"


def _may_have_lost_race(error: BaseException) -> bool:
    """The same for a creation that may be repeated, because it returns the actor that is there.

    Some of those who lose get no answer from within the engine, which says so after 30 s, in these words.
    """
    return _lost_race(error) or (isinstance(error, ActorError) and (error.group, error.code) == ("core", "internal_error"))
