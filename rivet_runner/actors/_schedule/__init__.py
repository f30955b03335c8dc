"""Timers of one typed actor: stored with it, served while it is awake, and waking it when it sleeps."""
