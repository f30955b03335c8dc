"""The parts of ``benchmarks.restart_race``: what an engine restart does to an actor on a serverless runner.

``heart`` is the actor, ``server`` the application under it, ``probes`` and ``samples`` look at both from outside, ``trial``
puts one restart together, ``summary`` and ``timeline`` show what was seen.
"""
