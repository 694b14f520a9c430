"""A function with hooks.  What they do is told by files in the folder GATES.

Each hook notes its call as a line of the file `notes`: its name, process, context and thread.  It
then waits for as long as there is a file NAME.wait, and fails if there is a file NAME.fail.  The
handler tells the context and what it found; `/notes` tells the notes.
"""

import json
import os
import threading
import time
from pathlib import Path

_gates = Path(os.environ["GATES"])
_initialized = []


def _note(name, context, **more):
    note = {
        "hook": name,
        "pid": os.getpid(),
        "request_id": context.request_id,
        "function": context.function.name,
        "thread": threading.current_thread().name,
    }
    line = json.dumps(note | more) + "\n"
    with (_gates / "notes").open("a", encoding="utf-8") as file:
        file.write(line)


def _run(name, context):
    _note(name, context)
    print("the hook", name, "prints")
    while (_gates / f"{name}.wait").exists():
        time.sleep(0.01)
    if (_gates / f"{name}.fail").exists():
        raise ValueError(f"{name} fails")
    return f"{name} done"


def initialize(context):
    result = _run("initialize", context)
    _initialized.append(os.getpid())
    return result


def pre_freeze(context):
    return _run("pre_freeze", context)


def pre_stop(context):
    return _run("pre_stop", context)


def takes_nothing():
    raise AssertionError("nobody calls it")


async def is_async(context):
    raise AssertionError("nobody calls it")


def is_generator(context):
    yield


def handler(environ, start_response):
    context = environ["fc.context"]
    path = environ["PATH_INFO"]
    while path == "/wait" and (_gates / "handler.wait").exists():
        time.sleep(0.01)
    if path == "/fail":
        raise ValueError("the handler fails")
    if path != "/quiet":
        _note("handler", context, path=path)
    found = {
        "pid": os.getpid(),
        "initialized": len(_initialized),
        "context": json.loads(context.to_json()),
        "environ": {name: text for name, text in environ.items() if isinstance(text, str)},
        "body": environ["wsgi.input"].read().decode("latin-1"),
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(found).encode()]


async def application(scope, receive, send):
    """The same for ASGI."""
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            with (_gates / "notes").open("a", encoding="utf-8") as file:
                file.write(json.dumps({"hook": event["type"], "pid": os.getpid()}) + "\n")
            await send({"type": f"{event['type']}.complete"})
            if event["type"] == "lifespan.shutdown":
                return
    context = scope["extensions"]["gateway.fc"]["context"]
    _note("handler", context, path=scope["path"])
    found = {
        "pid": os.getpid(),
        "initialized": len(_initialized),
        "context": json.loads(context.to_json()),
        "path": scope["path"],
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
    }
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(found).encode()})
