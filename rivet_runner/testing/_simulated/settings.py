"""The engine's timers and limits, by the engine's own names and with its defaults (2.3.19)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["EngineSettings", "engine_settings"]


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times are in milliseconds and sizes in bytes, unless a name says otherwise.

    The first group has the names of the engine's configuration (``pegboard``, ``guard``, ``runtime``, ``auth``). The second
    names its constants. ``strict_kv`` repairs two faults of the engine's key-value store: a reverse list truncates values of
    more than 10,000 bytes, and a prefix list misses keys that go on with the byte 0xFF.
    """

    runner_lost_threshold: int = 15_000
    runner_eligible_threshold: int = 10_000
    runner_update_ping_interval_ms: int = 3_000
    actor_start_threshold: int = 30_000
    actor_stop_threshold: int = 1_800_000
    base_retry_timeout: int = 2_000
    reschedule_backoff_max_exponent: int = 8
    retry_reset_duration: int = 600_000
    actor_allocation_candidate_sample_size: int = 100
    hibernating_request_eligible_threshold: int = 90_000
    gateway_websocket_open_timeout_ms: int = 15_000
    gateway_response_start_timeout_ms: int = 300_000
    gateway_gc_interval_ms: int = 15_000
    gateway_hws_message_ack_timeout_ms: int = 30_000
    gateway_hws_max_pending_size: int = 128 * 1024 * 1024
    gateway_tunnel_ping_timeout_ms: int = 30_000
    runner_max_response_payload_body_size: int = 20 * 1024 * 1024
    actor_ready_timeout_ms: int = 30_000
    actor_force_wake_pending_timeout_ms: int = 60_000
    http_max_request_body_size: int = 20 * 1024 * 1024
    websocket_max_message_size: int = 32 * 1024 * 1024
    guard_shutdown_duration: int = 600
    """Seconds that a graceful stop waits for open requests and WebSockets."""
    admin_token: str | None = None
    """The token that runners and calls of the management API need. Without one, they need none."""

    init_timeout_ms: int = 5_000
    restart_pending_timeout_ms: int = 60_000
    """How long an actor of policy ``restart`` waits for a runner."""
    crash_lease_ms: int = 30_000
    """After a crash of the engine: how long the runners that it knew wait for their first init."""
    retry_attempts: int = 7
    """HTTP. A WebSocket's open gets one more."""
    retry_initial_interval_ms: int = 150
    wake_retries: int = 8
    event_ack_batch: int = 500
    actor_event_ack_batch: int = 250
    """The same for one actor, on protocol 7."""
    runner_ping_timeout_ms: int = 15_000
    """On protocol 7: without an answer to its pings for so long, the engine closes the connection."""
    keepalive_jitter_ms: int = 128
    """The keepalive of a hibernating request is late by 0 to this many milliseconds, exclusive."""
    max_pending_messages: int = 65_535
    max_key_size: int = 1_024
    """Bytes of an actor's key."""
    max_input_size: int = 4 * 1024 * 1024
    """Bytes of an actor's input, as base64."""
    strict_kv: bool = False


def engine_settings(given: Mapping[str, Any] | EngineSettings | None) -> EngineSettings:
    """The settings, or the defaults with those changed that ``given`` names. Raises `msgspec.ValidationError`."""
    return given if isinstance(given, EngineSettings) else msgspec.convert(dict(given or {}), EngineSettings)
