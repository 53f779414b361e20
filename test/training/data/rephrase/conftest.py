import pytest


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Servers of these tests are on this machine, and no key of the user's goes to them."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
