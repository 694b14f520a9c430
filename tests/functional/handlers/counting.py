"""Counts its runs; as WSGI handler and as ASGI application.

`/runs` tells how many there were before; each answer has what the request was.
"""

import json

_runs = 0


def _describe(method, path, query, size, authorization):
    global _runs  # noqa: PLW0603  # One thread at a time: the tests ask one after another.
    before = _runs
    if path != "/runs":
        _runs += 1
    said = {
        "runs": before,
        "method": method,
        "path": path,
        "query": query,
        "size": size,
        "authorization": authorization,
    }
    return json.dumps(said).encode()


def handler(environ, start_response):
    body = environ["wsgi.input"].read()
    path = environ["PATH_INFO"]
    fields = [("Content-Type", "application/json")]
    if path == "/own-cors":
        fields.append(("Access-Control-Allow-Origin", "https://own.example"))
    start_response("200 OK", fields)
    if path == "/broken":
        raise RuntimeError("broken on purpose")
    return [
        _describe(
            environ["REQUEST_METHOD"],
            path,
            environ["QUERY_STRING"],
            len(body),
            environ.get("HTTP_AUTHORIZATION"),
        )
    ]


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return
    size, more = 0, True
    while more:
        event = await receive()
        size += len(event.get("body", b""))
        more = event.get("more_body", False)
    headers = [(b"content-type", b"application/json")]
    if scope["path"] == "/own-cors":
        headers.append((b"access-control-allow-origin", b"https://own.example"))
    fields = dict(scope["headers"])
    said = _describe(
        scope["method"],
        scope["path"],
        scope["query_string"].decode(),
        size,
        fields.get(b"authorization", b"").decode() or None,
    )
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said})
