"""What belongs to one request is kept, and used when it is over."""

import json
import threading

from misbehaving import PLAIN

kept = {}
told = []
lock = threading.Lock()


def note(call):
    try:
        told.append(repr(call()))
    except BaseException as error:
        told.append(type(error).__name__)


def notes(environ, start_response):
    """What has been told so far."""
    start_response("200 OK", PLAIN)
    return [json.dumps(told).encode()]


def clear(environ, start_response):
    told.clear()
    start_response("200 OK", PLAIN)
    return [b"cleared"]


def keep(environ, start_response):
    """Answers without reading its body, and keeps all that it was given."""
    kept.update(environ=environ, start_response=start_response)
    kept["write"] = start_response("200 OK", PLAIN)
    return [b"kept"]


def keep_a_stream(environ, start_response):
    keep(environ, start_response)
    yield b"ke"
    yield b"pt"


def late(work):
    """Answers with what a thread of its own has noted, while and behind the request."""

    def application(environ, start_response):
        thread = threading.Thread(target=note, args=(work,), daemon=True)
        thread.start()
        thread.join(10)
        start_response("200 OK", PLAIN)
        return [json.dumps(told).encode()]

    return application


read_input = late(lambda: kept["environ"]["wsgi.input"].read(-1))
read_line = late(lambda: kept["environ"]["wsgi.input"].readline(-1))
write = late(lambda: kept["write"](b"evil"))
start_again = late(lambda: kept["start_response"]("200 OK", PLAIN)(b"evil"))
read_names = late(lambda: sorted(kept["environ"])[:1])


def write_from_another_thread(environ, start_response):
    """While the handler runs, and waits for it."""
    write = start_response("200 OK", PLAIN)
    thread = threading.Thread(target=note, args=(lambda: write(b"evil"),), daemon=True)
    thread.start()
    thread.join(10)
    return [json.dumps(told).encode()]


def start_in_another_thread(environ, start_response):
    """A head may come from anywhere, before the handler returns."""
    thread = threading.Thread(target=start_response, args=("200 OK", PLAIN), daemon=True)
    thread.start()
    thread.join(10)
    return [b"an answer"]


def hammer(environ, start_response):
    """A thread goes on writing for as long as it may, whatever becomes of the request."""
    write = start_response("200 OK", PLAIN)

    def go_on():
        for _ in range(2000):
            note(lambda: write(b"evil"))
        told.clear()

    threading.Thread(target=go_on, daemon=True).start()
    yield b"an "
    yield b"answer"


def change_environ(environ, start_response):
    """Everything that is in it, and what that refers to."""
    before = str(environ.get("misbehaving.mark"))
    context = environ["fc.context"]
    before += f" {context.request_id == environ.get('HTTP_X_EXPECTED', context.request_id)}"
    before += f" {context.function}"
    before += f" {environ['PATH_INFO']} {environ['wsgi.version']}"
    environ["misbehaving.mark"] = "changed"
    context.function = "changed"
    context.region = "changed"
    for name in list(environ):
        if name != "fc.context":
            environ[name] = "changed"
    start_response("200 OK", PLAIN)
    return [before.encode()]


def empty_environ(environ, start_response):
    environ.clear()
    start_response("200 OK", PLAIN)
    return [b"an answer"]


def close_input(environ, start_response):
    environ["wsgi.input"].close()
    start_response("200 OK", PLAIN)
    return [b"an answer"]


def close_errors(environ, start_response):
    start_response("200 OK", PLAIN)
    environ["wsgi.errors"] = None
    return [b"an answer"]
