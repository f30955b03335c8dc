"""What a runner tells of itself: numbers that add up, and spans, if there is a tracer.

* `statistics`: plain numbers, counted where something happens and read by `rivet_runner._health` and `rivet_runner._metrics`
* `observer`: the calls for the rooms above, one for each kind of work
* `report`: the state and the numbers of one runner, at one moment, for any thread or another process

This room knows no metrics system and no tracer. It has no clock but that of the process, and starts nothing.
"""
