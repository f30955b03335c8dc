"""One runner, put together and taken down."""
