"""What the tests of stores share."""

import pytest
from azurite import azurite

__all__ = ["azurite"]


@pytest.fixture
def no_waiting(azurite: object, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that Azure's client wanted to wait between its attempts; it does not."""
    from azure.core.pipeline.transport import HttpTransport

    waited: list[float] = []
    monkeypatch.setattr(HttpTransport, "sleep", lambda self, duration: waited.append(duration))
    return waited
