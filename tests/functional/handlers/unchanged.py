"""An application that does not know where it runs, and tells all that it sees: bare, and Flask."""

import io
import json

from flask import Flask, request

_PLAIN = (str, int, bool, tuple, type(None))


def _kind(value):
    """Standard error may be a stream that knows requests: no business of the application."""
    return "text" if isinstance(value, io.TextIOWrapper) else type(value).__qualname__


def _seen(environ):
    context = json.loads(environ["fc.context"].to_json())
    values = {
        key: repr(value) if isinstance(value, _PLAIN) else _kind(value)
        for key, value in environ.items()
        if key.partition(".")[0] not in ("werkzeug", "flask")
    }
    return {"environ": values, "context": context}


def handler(environ, start_response):
    seen = _seen(environ)
    seen["body"] = environ["wsgi.input"].read().decode("latin-1")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]


app = Flask(__name__)


@app.route("/", defaults={"path": ""}, methods=["GET", "POST"])
@app.route("/<path:path>", methods=["GET", "POST"])
def tell(path):
    seen = _seen(request.environ)
    seen["flask"] = {
        "path": path,
        "url": request.url.partition("?")[2],
        "root": request.root_path,
        "args": request.args.to_dict(flat=False),
        "body": request.get_data(as_text=True),
    }
    return seen
