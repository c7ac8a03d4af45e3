"""A fake registry for each test, which has asked for all that it expects in the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.registry.exchanges import Exchanges


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchanges]:
    """A registry that expects nothing yet, on a machine without proxies or authorities of its own."""
    for name in ("HTTPS_PROXY", "https_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    exchanges = Exchanges()
    yield exchanges
    exchanges.check_all_were_asked()
