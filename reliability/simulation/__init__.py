"""Runs of the runner on the simulated engine, with faults drawn from a seed. `make simulate`.

* `subject` is the runner under test, and `clients` are the clients of its actors. `typed_subject` and `typed_clients` are
  the same for typed actors. All note what happens to them in the engine's trace, by way of the `world` that they share
* `load` drives one run: `processes` that come and go, and then a calm in which everything must work again. `plain_load`
  and `typed_load` are its two kinds
* `checker` reads the trace with `invariants`, or with `typed_invariants`: one class for each promise. `invariant` is
  their common ground
* `run` is one seed from begin to end, `pool` runs many on every core, and `__main__` is the command

One seed is one run, byte for byte, so that a seed that fails can be run again.
"""
