"""The engine's side of the runner protocol, for one purpose: to load a runner while costing little itself.

Frames are encoded once, before the load. A message in flight costs the engine an unmasking, a few slices and a
concatenation. The SDK's codec is not among them, so a change of that codec changes one side of a measurement only.
"""
