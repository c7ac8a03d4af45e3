"""A client of the Docker Engine that sends again what had no answer, or a passing error for one.

All that a run asks of the daemon may be sent twice: containers and networks are made under names that nothing else has,
and whoever asks takes what is there of such a name for its own. The retries are urllib3's. Only
a start that had no answer is not sent again here: a container that has ended meanwhile would begin anew.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import docker
import requests
import urllib3.exceptions
from urllib3.util.retry import Retry

if TYPE_CHECKING:
    from types import TracebackType

    from requests.adapters import BaseAdapter
    from typing_extensions import Self
    from urllib3.connectionpool import ConnectionPool
    from urllib3.response import BaseHTTPResponse

RETRIES = 4
"""How often a request is sent again; with the pauses that makes some three seconds."""

PAUSE_SECONDS = 0.2
"""Before the first of them; each one after it is twice as long."""

_PASSING = (429, 500, 502, 503, 504)
_ABSENT = (FileNotFoundError, PermissionError, ConnectionRefusedError)
_BY_REGISTRIES = ("/distribution/", "/images/create")
"""What the daemon asks a registry for, which it tries again itself."""
_START = re.compile(r"/containers/[^/]+/start")


class _Retry(Retry):
    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        # Who waits for an answer has waited long enough, a daemon that is not there is told at once, and who starts a
        # container looks at it first.
        is_last = isinstance(error, urllib3.exceptions.TimeoutError) or _START.search(url or "")
        if error is not None and (is_last or _is_absence(error)):
            raise error
        if error is None and any(part in (url or "") for part in _BY_REGISTRIES):
            raise urllib3.exceptions.MaxRetryError(_pool, url or "")  # type: ignore[arg-type]  # urllib3 gives it
        return super().increment(method, url, response, error, _pool, _stacktrace)


class RetryingClient(docker.APIClient):
    """See the module."""

    def mount(self, prefix: str | bytes, adapter: BaseAdapter) -> None:
        """Lets what sends do so again, from the first request on: the one for the version is the constructor's."""
        if isinstance(adapter, requests.adapters.HTTPAdapter):
            adapter.max_retries = _Retry(
                total=RETRIES,
                allowed_methods=None,
                status_forcelist=_PASSING,
                backoff_factor=PAUSE_SECONDS,
                backoff_jitter=PAUSE_SECONDS,
                raise_on_status=False,
            )
        super().mount(prefix, adapter)


def _is_absence(error: Exception) -> bool:
    """Whether there was nobody to take the request."""
    return any(isinstance(each, _ABSENT) for each in error.args)
