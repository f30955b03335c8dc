"""Measures the runner beside the TypeScript one and beside the floor. ``python -m benchmarks.run --help``; `make bench`.

* `synthetic`: an engine that costs next to nothing, so that the runner is measured, and the loads on it
* `contestants`: the runners that take part, and how each is started
* `phases`: the loads, one after the other; `measure`: one measurement; `report` and `plot`: measurements → table and plot
* `real_engine`: the same echo through a real engine, also as an action of typed actors and of RivetKit
* `profile`: where the Python runner's time goes
"""
