"""The state of an actor, in values of its key-value store."""
