"""Long runs that measure whether a runner keeps its promises. `make simulate`, `make soak` and `make race`.

* `soak`: ten minutes of load and network faults, with a verdict
* `simulation`: thousands of seeds of faults on the simulated engine, each with the same checks
* `race`: how soon a serverless actor is back after an engine restart
* `background`: coroutines that run beside a block

`soak` and `race` run a real engine. They share their load and their servers with the tests, in ``tests.support``.
"""
