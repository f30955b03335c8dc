"""Long runs that measure whether a runner keeps its promises. `make soak` and `make race`.

* `soak`: ten minutes of load and network faults, with a verdict
* `race`: how soon a serverless actor is back after an engine restart

Both run a real engine. They share their load and their servers with the tests, in ``tests.support``.
"""
