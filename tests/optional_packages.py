"""Packages that only some sessions of nox install."""

import importlib.util
import os

import pytest


def needs(package: str, session: str) -> None:
    """Skips the test if a package is not installed; in CI, fails."""
    if importlib.util.find_spec(package) is None:
        reason = f"{package} is not installed (nox -s {session})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
