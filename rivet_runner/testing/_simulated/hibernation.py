"""The index of hibernating requests, from which `CommandStartActor` is filled when an actor starts again."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["HibernationIndex"]


class _Entry(NamedTuple):
    last_ping: int
    key: bytes


class HibernationIndex:
    """The last ping of each request, by actor and key, in milliseconds. A key is gateway id and request id, 8 bytes."""

    def __init__(self) -> None:
        self._by_actor: dict[str, dict[bytes, int]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_actor.values()))

    def upsert(self, actor_id: str, key: bytes, now: int) -> None:
        """Note a ping of the request at ``now``."""
        self._by_actor.setdefault(actor_id, {})[key] = now

    def delete(self, actor_id: str, key: bytes) -> None:
        """Remove a request, if it is listed."""
        requests = self._by_actor.get(actor_id)
        if requests is not None:
            requests.pop(key, None)
            if not requests:
                del self._by_actor[actor_id]

    def listed(self, actor_id: str, now: int, threshold: int) -> list[bytes]:
        """The keys with a ping in the last ``threshold`` milliseconds, the oldest ping first. Older ones are forgotten."""
        requests = self._by_actor.get(actor_id, {})
        for key in [key for key, ping in requests.items() if ping < now - threshold]:
            self.delete(actor_id, key)
        entries = [_Entry(ping, key) for key, ping in requests.items()]
        return [entry.key for entry in sorted(entries)]

    def forget(self, actor_id: str) -> None:
        """The actor is destroyed."""
        self._by_actor.pop(actor_id, None)

    def items(self) -> list[tuple[str, bytes, int]]:
        """Every entry: actor, key, last ping."""
        return [(actor_id, key, ping) for actor_id, keys in self._by_actor.items() for key, ping in keys.items()]
