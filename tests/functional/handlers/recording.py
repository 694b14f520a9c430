"""Tells what it was asked, and remembers it.

Paths: `/runs/TOKEN` tells how often a path with TOKEN in it was asked for; everything
else is described as JSON.
"""

import json
import threading

_lock = threading.Lock()
_seen = []


def handler(environ, start_response):
    path = environ["PATH_INFO"]
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json")])
    if path.startswith("/runs/"):
        token = path.removeprefix("/runs/")
        with _lock:
            runs = sum(token in what for what in _seen)
        return [json.dumps(runs).encode()]
    with _lock:
        _seen.append(path)
    context = environ["fc.context"]
    description = {
        "environ": {name: text for name, text in environ.items() if isinstance(text, str)},
        "body": body[:100_000].decode("latin-1"),
        "length": len(body),
        "request_id": context.request_id,
        "thread": threading.current_thread().name,
    }
    return [json.dumps(description).encode()]
