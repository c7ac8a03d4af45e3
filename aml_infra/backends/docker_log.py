"""The log of a container, by the Docker Engine's logs call."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import docker
import docker.errors
import requests

from aml_infra.backends import log_lines

_FRAME_HEAD = struct.Struct(">BxxxL")


def read_log(client: docker.APIClient, container: str) -> Iterator[str]:
    """The lines that a container has printed and prints, until it ends.

    A line comes where its end was printed, and open ends come last, so that reading again gives the same lines in the
    same order. A progress bar, which writes over its line with carriage returns, is the line that it was last. What
    goes on for more than ``log_lines.LINE_BYTES`` without a line end is cut there: the rest of it is the next line.

    Raises:
        requests.ConnectionError, requests.exceptions.ChunkedEncodingError: the connection was lost before the log
            had ended.
    """
    # A program prints to two streams, and what one has not ended yet is no part of the other's next line.
    pending: dict[int, bytearray] = {}
    for stream, content in _read_frames(client, container):
        for line in log_lines.cut_lines(pending.setdefault(stream, bytearray()), content):
            yield log_lines.decode_line(line)
    # While the container runs, an open end may go on: as a line it would not be there when the log is read again.
    if not _is_running(client, container):
        for _, rest in sorted(pending.items()):
            if rest:
                yield log_lines.decode_line(bytes(rest))


def _read_frames(client: docker.APIClient, container: str) -> Iterator[tuple[int, bytes]]:
    """The pieces of a container's log, each with the number of its stream.

    ``client.logs`` does not tell the streams apart, and takes a connection that was lost for the end of the log. A
    client is a ``requests.Session``, which does see whether an answer was whole.
    """
    with client.get(
        f"{client.base_url}/v{client.api_version}/containers/{container}/logs",
        params={"stdout": "1", "stderr": "1", "follow": "1", "tail": "all"},
        stream=True,
        timeout=(client.timeout, None),  # a program may print nothing for hours
    ) as response:
        try:
            response.raise_for_status()
        except requests.HTTPError as error:
            docker.errors.create_api_error_from_http_exception(error)
        received = bytearray()
        for chunk in response.iter_content(None):
            received += chunk
            start = 0
            while len(received) - start >= _FRAME_HEAD.size:
                stream, length = _FRAME_HEAD.unpack_from(received, start)
                content = start + _FRAME_HEAD.size
                if len(received) < content + length:
                    break
                yield stream, bytes(received[content : content + length])
                start = content + length
            del received[:start]
        if received:
            raise requests.ConnectionError(f"the log of {container} ended within a piece of it")


def _is_running(client: docker.APIClient, container: str) -> bool:
    try:
        return bool(client.inspect_container(container)["State"]["Running"])
    except docker.errors.NotFound:
        return False
