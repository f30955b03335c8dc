"""The client's inside: how a call finds its actor, leaves, and comes back. See `rivet_runner.actors.client`."""
