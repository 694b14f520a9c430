"""Flask on Function Compute's default URL: the prefix of `fc.request_uri` becomes SCRIPT_NAME."""

from urllib.parse import urlsplit

from flask import Flask, jsonify, redirect, request, url_for

app = Flask(__name__)
app.secret_key = "for tests"


@app.route("/")
def index():
    return redirect(url_for("item", name="first"))


@app.route("/items/<name>", methods=["GET", "POST"])
def item(name):
    return jsonify(
        name=name,
        link=url_for("item", name="other"),
        absolute=url_for("item", name="other", _external=True),
        path=request.path,
        query=request.args.get("q"),
        form=request.form.get("field"),
        addressed=[request.environ["fc.context"].service.name, request.environ["fc.request_uri"]],
    )


def base_path(environ):
    """`/2016-08-15/proxy/<service>/<function>` of a request there, else nothing."""
    parts = urlsplit(environ["fc.request_uri"]).path.split("/")
    return "/".join(parts[:5]) if parts[2:3] == ["proxy"] else ""


def handler(environ, start_response):
    environ["SCRIPT_NAME"] = base_path(environ)
    return app(environ, start_response)
