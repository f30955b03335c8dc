"""Runs of the runner on the simulated engine, with faults drawn from a seed. `make simulate`.

* `subject` is the runner under test, and `clients` are the clients of its actors. Both note what happens to them in the
  engine's trace
* `load` drives one run: clients, processes that come and go, and then a calm in which everything must work again
* `invariants` read the trace, and say what must never be in it: one class for each of the seven. `invariant` is
  their common ground
* `run` is one seed from begin to end, `pool` runs many on every core, and `__main__` is the command

One seed is one run, byte for byte, so that a seed that fails can be run again.
"""
