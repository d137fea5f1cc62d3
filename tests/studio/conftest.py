"""The studio that the tests of this folder share."""

from collections.abc import Iterator

import pytest
from studio_models import LIMITS, all_models
from studio_server import Served, served


@pytest.fixture(scope="session")
def studio() -> Iterator[Served]:
    with served(all_models(), LIMITS) as running:
        yield running
