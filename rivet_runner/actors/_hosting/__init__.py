"""Hosts typed actors: each instance, from the start of its actor's generation to its end, and what clients ask of it."""
