"""A Flask application that uses what servers get wrong."""

import asyncio
import hashlib

from flask import (
    Flask,
    Response,
    jsonify,
    redirect,
    request,
    send_file,
    session,
    stream_with_context,
    url_for,
)

app = Flask(__name__)
app.secret_key = "for tests"


@app.route("/")
def index():
    return "Hello from Flask"


@app.route("/async/<int:milliseconds>")
async def wait(milliseconds):
    await asyncio.sleep(milliseconds / 1000)
    return f"waited {milliseconds}"


@app.route("/stream/<int:count>")
def stream(count):
    def lines():
        for number in range(count):
            yield f"{request.args.get('word', '')} {number}\n"

    return Response(stream_with_context(lines()), mimetype="text/plain")


@app.post("/upload")
def upload():
    file = request.files["file"]
    data = file.read()
    return jsonify(
        name=file.filename,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        note=request.form["note"],
    )


@app.post("/json")
def echo_json():
    return jsonify(request.get_json())


@app.route("/file")
def file():
    return send_file(__file__, mimetype="text/plain", conditional=True)


@app.route("/count")
def count():
    session["count"] = session.get("count", 0) + 1
    return str(session["count"])


@app.route("/away")
def away():
    return redirect(url_for("index", _external=True))


@app.route("/päth/<name>")
def unicode_path(name):
    return f"{name} {request.args['q']}"


@app.route("/fault")
def fault():
    raise ValueError("caught by Flask")


def handler(environ, start_response):
    return app(environ, start_response)
