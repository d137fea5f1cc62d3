"""Fixtures of the command line, for attacks on it."""

from cli.conftest import midi, run

__all__ = ["midi", "run"]
