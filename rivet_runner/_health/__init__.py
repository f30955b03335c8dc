"""Whether a runner is well, for those outside: HTTP for probes and for Prometheus, and reports for another process.

* `heartbeat`: how late the event loop is
* `loop_watch`: a warning that names the code that blocks it
* `pages`: the answers for ``/healthz``, ``/readyz`` and ``/metrics``, from any number of reports
* `server`: HTTP in a thread of its own, so that it answers while the event loop is blocked
* `monitor`: these parts together, for one runner

A process with several workers makes a `HealthServer` with `Pages` over the reports of all of them.
"""
