"""A Flask application, and the one line that makes it a handler."""

from flask import Flask

app = Flask(__name__)


@app.route("/")
def index():
    return "Web App with Python Flask!"


def handler(environ, start_response):
    return app(environ, start_response)
