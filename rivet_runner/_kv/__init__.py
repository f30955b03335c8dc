"""The key-value calls of actors, and the records that this package keeps in their stores."""
