"""The parts of `rivet_runner.testing.scripted_engine.ScriptedEngine`."""
