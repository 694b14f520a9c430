"""A Flask application; apart from the other handlers, which are to start without Flask."""

from flask import Flask

from bench.handlers import HELLO

app = Flask(__name__)


@app.get("/")
def hello() -> tuple[bytes, dict[str, str]]:
    """The least that a Flask view does."""
    return HELLO, {"Content-Type": "text/plain"}
