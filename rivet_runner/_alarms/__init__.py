"""Alarms that call a hook: stored with the actor, served by one timer while it is awake."""
