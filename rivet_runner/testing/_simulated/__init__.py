"""The parts of `rivet_runner.testing.SimulatedEngine`, named as the engine names them.

* state machines without I/O, driven by messages and by `timers.Timers`: `kv_store`, `actor_state`, `allocation`,
  `runner_indexes`, `runner_state`, `runner_socket`, `hibernation`, `in_flight`. `runner_wire` has the protocol versions
* `fault_injection` draws faults, each from the run's seed
* the part that serves clients, in tasks of one group: `guard`, `gateway`
* `cluster` puts them together
* `memory_link` and `client_socket` are the transports in memory, and `loop_clock` is the clock
* `port` is the server of a real port, with `port_app`, `port_api`, `socket_link` and `socket_client`

Two rules keep a run repeatable byte for byte: chance comes from one seeded generator, and the order of everything is that
of insertion or of (time, number).
"""
