"""Tests of typed actors."""
