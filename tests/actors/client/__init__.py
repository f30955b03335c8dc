"""Tests of the client of typed actors."""
