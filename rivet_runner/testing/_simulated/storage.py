"""An engine's state in one SQLite file, for the next engine to go on from.

The file keeps namespaces, actors, their data and the known names. It does not keep runners and clients: the next engine
treats them as lost.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

import msgspec

from rivet_runner.testing._simulated.actor_spec import ActorSpec
from rivet_runner.testing._simulated.actor_state import SimulatedActor
from rivet_runner.testing._simulated.cluster import Cluster
from rivet_runner.testing._simulated.kv_store import KvStore
from rivet_runner.testing._simulated.namespaces import Namespace
from rivet_runner.testing._simulated.runner_state import SimulatedRunner
from rivet_runner.testing._simulated.timers import Timers

__all__ = ["Storage"]

FORMAT: Final = 1

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS starts (number INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE IF NOT EXISTS actors (id TEXT PRIMARY KEY, number INTEGER, record BLOB);
CREATE TABLE IF NOT EXISTS namespaces (name TEXT PRIMARY KEY, id TEXT, display_name TEXT, create_ts INTEGER);
CREATE TABLE IF NOT EXISTS kv (actor TEXT, key BLOB, value BLOB, put_ts INTEGER, PRIMARY KEY (actor, key)) WITHOUT ROWID;
"""


class _ActorRecord(msgspec.Struct, frozen=True):
    spec: ActorSpec
    generation: int
    was_awake: bool
    was_waiting: bool
    sleeping: bool
    alarm_ts: int | None
    start_ts: int | None
    sleep_ts: int | None
    destroy_ts: int | None
    error: Any
    retry_count: int
    last_retry_ts: int | None


class Storage:
    """The file. It is written before the answer to a key-value call, and once a turn for changes of actors.

    Raises `ValueError` for a file of another format, and `sqlite3.Error` for one that SQLite cannot use.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, FORMAT):
            self._db.close()
            raise ValueError(f"{path} has the format {version}, and this version reads {FORMAT}")
        # A test does not need data that survives a crash of the whole machine.
        self._db.executescript(f"PRAGMA user_version = {FORMAT}; PRAGMA synchronous = OFF; {SCHEMA}")
        self.start_number = self._db.execute("INSERT INTO starts DEFAULT VALUES").lastrowid or 1
        self._db.commit()
        self._timers: Timers | None = None
        self._dirty: dict[str, SimulatedActor] = {}

    def load(self, cluster: Cluster) -> None:
        """Put back every actor as it was, and go on with it."""
        self._timers = cluster.timers
        for name, *fields in self._db.execute("SELECT * FROM namespaces ORDER BY create_ts, name").fetchall():
            namespace_id, display_name, create_ts = fields
            cluster.add_namespace(name, display_name, namespace_id=namespace_id, create_ts=create_ts)
        records = self._db.execute("SELECT record FROM actors ORDER BY number").fetchall()
        for (record,) in records:
            _restore(cluster, msgspec.msgpack.decode(record, type=_ActorRecord))
        for actor_id, key, value, put_ts in self._db.execute("SELECT actor, key, value, put_ts FROM kv ORDER BY actor, key"):
            cluster.kv_store(actor_id).load(key, value, put_ts)

    def close(self) -> None:
        self._flush()
        self._db.close()

    # Calls of the cluster

    def actor_changed(self, actor: SimulatedActor) -> None:
        if not self._dirty and self._timers is not None:
            self._timers.call_later(0, self._flush)
        self._dirty[actor.id] = actor

    def runner_changed(self, runner: SimulatedRunner) -> None:
        """Runners are not kept."""

    def kv_changed(self, actor_id: str, store: KvStore, keys: list[bytes] | None) -> None:
        if keys is None:
            self._db.execute("DELETE FROM kv WHERE actor = ?", (actor_id,))
        for key in keys or ():
            entry = store.entry(key)
            if entry is None:
                self._db.execute("DELETE FROM kv WHERE actor = ? AND key = ?", (actor_id, key))
            else:
                self._db.execute("INSERT OR REPLACE INTO kv VALUES (?, ?, ?, ?)", (actor_id, key, *entry))
        self._db.commit()

    def namespace_added(self, namespace: Namespace) -> None:
        fields = (namespace.name, namespace.namespace_id, namespace.display_name, namespace.create_ts)
        self._db.execute("INSERT INTO namespaces VALUES (?, ?, ?, ?)", fields)
        self._db.commit()

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, {}
        for actor in dirty.values():
            record = msgspec.msgpack.encode(_record(actor))
            self._db.execute(
                "INSERT INTO actors VALUES (?, (SELECT count(*) FROM actors), ?) "
                "ON CONFLICT (id) DO UPDATE SET record = excluded.record",
                (actor.id, record),
            )
        self._db.commit()


def _record(actor: SimulatedActor) -> _ActorRecord:
    return _ActorRecord(
        spec=actor.spec,
        generation=actor.generation,
        was_awake=actor.runner_id is not None,
        was_waiting=actor.waiting,
        sleeping=actor.sleeping,
        alarm_ts=actor.alarm_ts,
        start_ts=actor.start_ts,
        sleep_ts=actor.sleep_ts,
        destroy_ts=actor.destroy_ts,
        error=actor.error,
        retry_count=actor.backoff.retry_count,
        last_retry_ts=actor.backoff.last_retry_ts,
    )


def _restore(cluster: Cluster, record: _ActorRecord) -> None:
    actor = cluster.new_actor(record.spec, has_key=record.destroy_ts is None)
    actor.generation = record.generation
    actor.sleeping = record.sleeping
    actor.alarm_ts, actor.start_ts = record.alarm_ts, record.start_ts
    actor.sleep_ts, actor.destroy_ts = record.sleep_ts, record.destroy_ts
    actor.error = record.error
    actor.backoff.retry_count, actor.backoff.last_retry_ts = record.retry_count, record.last_retry_ts
    cluster.namespaces[record.spec.namespace].runner_names[record.spec.runner_name] = None
    actor.resume(was_awake=record.was_awake, was_waiting=record.was_waiting)
