"""Key-value calls to the engine, the stores of actors, and the SDK's own records in them."""
