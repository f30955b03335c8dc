"""Typed actors and the unmodified JavaScript client, which is the oracle of what they have to do."""
