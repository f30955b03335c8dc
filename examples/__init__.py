"""Programs to read, run and take from. Each is a whole one."""
