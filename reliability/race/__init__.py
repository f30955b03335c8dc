"""The effect of an engine restart on an actor of a serverless runner. ``python -m reliability.race --help``; `make race`.

* `heart`: the actor, and a journal of all that it does
* `probes`: the looks from outside, and their outcome
* `trial`: one restart; `summary`: many restarts as a table
"""
