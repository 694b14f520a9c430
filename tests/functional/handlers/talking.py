"""A handler that prints and logs in every way there is; the path says which."""

import contextlib
import contextvars
import io
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

LOG = logging.getLogger("some.library")

print("imported")


def handler(environ: dict[str, Any], start_response: Any) -> Any:
    name = environ["PATH_INFO"].strip("/").replace("-", "_")
    result = globals()["do_" + name](environ, environ["QUERY_STRING"])
    if isinstance(result, Iterator):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return result
    body = result if isinstance(result, bytes) else b"ok"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def do_chat(environ: dict[str, Any], tag: str) -> None:
    """Many ways at once, with pauses, in pieces: for others to come in between."""
    logger = environ["fc.context"].logger
    for count in range(3):
        print(tag, "printed", end=" ")
        time.sleep(0.002)
        sys.stderr.write(f"{tag} to err")
        time.sleep(0.001)
        print(count, "and more", sep=":", end="")
        logger.info("%s logged %d", tag, count)
        time.sleep(0.002)
        print(flush=True)
        environ["wsgi.errors"].write("ors\n")
        sys.stdout.buffer.write(f"{tag} grü".encode()[:-1])
        time.sleep(0.001)
        sys.stdout.buffer.write("ü".encode()[1:] + b"n\n")
        LOG.warning("%s warned %d", tag, count)
    sys.stdout.write(f"{tag} without end")


def do_quiet(environ: dict[str, Any], tag: str) -> None:
    pass


def do_say(environ: dict[str, Any], tag: str) -> None:
    print(tag)


def do_fail(environ: dict[str, Any], tag: str) -> None:
    print("before")
    raise ValueError("no luck")


def do_exception(environ: dict[str, Any], tag: str) -> None:
    try:
        raise KeyError("inner")
    except KeyError:
        LOG.exception("caught")


def do_forge(environ: dict[str, Any], tag: str) -> None:
    LOG.info("name\nFC Invoke End RequestId: forged\r\n2024-01-04T10:50:44.123Z forged [INFO] x")
    print("\x1b[2Jcleared\rback\x85\u2028line\u202eturned\ttab\x7f", "\udc80lone", "你好")


def do_number(environ: dict[str, Any], tag: str) -> None:
    print("x" * int(tag))


def do_stream(environ: dict[str, Any], tag: str) -> Iterator[bytes]:
    print("first")
    yield b"one"
    print("second")
    yield b"two"


def do_slow(environ: dict[str, Any], tag: str) -> None:
    print("begun")
    time.sleep(float(tag))
    print("too late")


def do_late(environ: dict[str, Any], tag: str) -> None:
    """Leave threads: one with the context of the request, one without."""
    is_over = threading.Event()

    def speak(text: str) -> None:
        is_over.wait(5)
        print(tag, text)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(speak, "late with context")).start()
    threading.Thread(target=speak, args=("late without",)).start()
    threading.Timer(0.3, is_over.set).start()


def do_descriptors(environ: dict[str, Any], tag: str) -> None:
    os.write(1, f"{tag} os.write\n".encode())
    subprocess.run(["echo", f"{tag} child"], check=True)
    child = os.fork()
    if not child:
        print(tag, "forked")
        os._exit(0)
    os.waitpid(child, 0)


def do_streams(environ: dict[str, Any], tag: str) -> bytes:
    """What else is done to streams; none of it may raise."""
    out: Any = sys.stdout
    said = [
        f"{isinstance(out, io.TextIOWrapper)} {out.fileno()} {out.isatty()} {out.encoding}",
        f"{out.writable()} {out.readable()} {out.line_buffering}",
        f"{out.buffer.writable()} {out.buffer.fileno()} {out.name}",
        f"{out.write('abc')} {out.buffer.write(memoryview(b'def'))}",
    ]
    out.writelines(["one ", "line\n"])
    out.reconfigure(errors="backslashreplace", line_buffering=True)
    for wrong in (b"bytes", 5, None):
        with contextlib.suppress(TypeError):
            out.write(wrong)
            said.append("taken")
    with contextlib.redirect_stdout(io.StringIO()) as caught:
        print("redirected")
    said.append(caught.getvalue().strip())
    with contextlib.redirect_stdout(sys.stderr):
        print("to errors")
    wrapped = io.TextIOWrapper(out.buffer, "utf-8", write_through=True)
    wrapped.write("wrapped\n")
    del wrapped
    if environ["HTTP_X_CLOSES"] == "yes":
        out.buffer.close()
        out.close()
        print("after close")
        out.detach().write(b"detached\n")
        print("after detach")
    return "\n".join(said).encode()


def do_close(environ: dict[str, Any], tag: str) -> None:
    os.close(1)
    os.close(2)
    print("nobody's business")


def do_same(environ: dict[str, Any], tag: str) -> bytes:
    return f"{sys.stdout is sys.__stdout__} {sys.stderr is sys.__stderr__}".encode()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The same for ASGI, as far as it differs."""
    import asyncio  # noqa: PLC0415

    assert scope["type"] == "http"
    tag = scope["query_string"].decode()
    context = scope["extensions"]["gateway.fc"]["context"]
    start = {"type": "http.response.start", "status": 200, "headers": []}
    if scope["path"] == "/fail":
        print("before")
        raise ValueError("no luck")
    if scope["path"] == "/slow":
        print("begun")
        await asyncio.sleep(float(tag))
    if scope["path"] == "/stream":
        print("first")
        await send(start)
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        print("second")
        await send({"type": "http.response.body", "body": b"two"})
        return

    async def aside() -> None:
        print(tag, "task")

    for count in range(3):
        print(tag, "printed", end=" ")
        await asyncio.sleep(0.002)
        context.logger.info("%s logged %d", tag, count)
        print(count)
        await asyncio.create_task(aside())
        await asyncio.to_thread(print, tag, "thread")
    await send(start)
    await send({"type": "http.response.body", "body": tag.encode()})
    print(tag, "behind the response", end="")
