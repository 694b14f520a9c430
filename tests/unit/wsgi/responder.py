"""What an invocation answers to, in memory: notes each call in its order."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from gateway.errors import ClientDisconnected
from gateway.http.message.head import RequestHead
from gateway.http.message.response import Status
from gateway.http.message.response_head import ResponseHead
from gateway.wsgi import pool_thread


@contextmanager
def in_pool_thread(job: object) -> Iterator[None]:
    """Have the calling thread be one of a pool, which runs `job`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool_thread._here, "thread", SimpleNamespace(job=job), raising=False)
        yield


class RecordingResponder:
    """An exchange without a connection, for one invocation."""

    request_id = "request-1"

    def __init__(self, method: str = "GET") -> None:
        self.head = RequestHead(method, is_http_1_0=False, keep_alive=True)
        self.is_done = self.is_authenticated = False
        self.calls: list[str] = []
        self.status: Status | None = None
        self.fields: dict[str, str] = {}
        self.length: int | None = None
        self.parts: list[bytes] = []
        self.times_released = 0
        self.leaves_before: str | None = None
        """The call at which the client is found to be gone."""

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    def _note(self, call: str) -> None:
        assert not self.times_released, "used after it was released"
        self.calls.append(call)
        if self.leaves_before == call:
            raise ClientDisconnected("gone")

    def _set_head(self, response: ResponseHead, length: int | None) -> None:
        assert self.status is None, "a second head"
        self.status, self.fields, self.length = response.status, dict(response.fields), length

    def has_left(self) -> bool:
        return False

    def respond(self, response: ResponseHead, body: bytes, length: int) -> None:
        self._note("respond")
        self._set_head(response, length)
        self.parts.append(body)
        self.is_done = True

    def start(self, response: ResponseHead, length: int | None) -> None:
        self._note("start")
        self._set_head(response, length)

    def write(self, data: bytes) -> None:
        self._note("write")
        assert self.status is not None
        if self.length is not None:
            data = data[: self.length - len(self.body)]
        self.parts.append(data)
        if len(self.body) == self.length:
            self.is_done = True

    def finish(self) -> bool:
        self._note("finish")
        is_whole = self.length is None or len(self.body) == self.length
        self.is_done = True
        return is_whole

    def abandon(self) -> None:
        self._note("abandon")
        self.is_done = True

    def release(self) -> None:
        self.times_released += 1

    def expire(self, response: ResponseHead, body: bytes) -> None:
        self._note("expire")
        self._set_head(response, len(body))
        self.parts.append(body)
