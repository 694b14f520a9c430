"""An event handler: the path of an HTTP event, or the event of InvokeFunction, says what to do."""

import hashlib
import json
import time
from base64 import b64decode
from pathlib import Path
from threading import Barrier

TOGETHER = Barrier(8)
NOTES = []

RESULTS = {
    "text": "Grüße",
    "bytes": b"\xff\x00",
    "none": None,
    "list": [1, "a", None],
    "object": {"message": "Hello"},
    "json-text": '{"statusCode": 418, "headers": {"X-A": "b"}, "body": "short"}',
    "struct": {
        "statusCode": 201,
        "headers": {"Content-Type": "text/plain", "X-A": 1, "Set-Cookie": ["a=1", "b=2"]},
        "body": "Grüße",
    },
    "base64": {"statusCode": 200, "body": "/wA=", "isBase64Encoded": True},
    "empty": {"statusCode": 204},
    "content": {"statusCode": 304, "body": "not sent"},
    "reserved": {
        "statusCode": 200,
        "headers": {"Server": "own", "Date": "now", "X-Fc-Own": "1", "Connection": "close"},
        "body": "b",
    },
    "length": {"statusCode": 200, "headers": {"content-length": 4}, "body": "body"},
    "wrong-length": {"statusCode": 200, "headers": {"Content-Length": "3"}, "body": "body"},
    "bad-status": {"statusCode": "OK"},
    "bad-name": {"statusCode": 200, "headers": {"X A": "1"}},
    "split": {"statusCode": 200, "headers": {"X-A": "1\r\nX-B: 2"}},
    "beyond-latin": {"statusCode": 200, "headers": {"X-A": "你"}},
    "hop-by-hop": {"statusCode": 200, "headers": {"Transfer-Encoding": "chunked"}},
    "bad-base64": {"statusCode": 200, "body": "a", "isBase64Encoded": True},
    "bad-body": {"statusCode": 200, "body": {}},
    "bytes-in-struct": {"statusCode": 200, "body": b""},
    "unspeakable": object(),
}


def handler(event, context):
    assert type(event) is bytes
    if event.startswith(b'{"version":"v1"'):
        return on_http(json.loads(event), event, context)
    if event.startswith(b'{"do":'):
        return on_invocation(json.loads(event), context)
    return event


def on_http(event, raw, context):
    _, way, *rest = event["requestContext"]["http"]["path"].split("/")
    if way == "result":
        return RESULTS[rest[0]]
    if way == "header":
        # 16 bytes of Content-Type's, which is added: FC counts what leaves.
        return {"statusCode": 200, "headers": {"Content-Type": "a/b", "X-A": "x" * int(rest[0])}}
    if way == "digest":
        body = event["body"]
        body = b64decode(body) if event["isBase64Encoded"] else body.encode()
        return f"{len(body)} {hashlib.sha256(body).hexdigest()} {event['isBase64Encoded']}"
    if way == "raise":
        raise LookupError("on purpose")
    if way == "exit":
        raise SystemExit(3)
    if way == "sleep":
        time.sleep(float(rest[0]))
    return {"statusCode": 200, "body": raw.decode()}


def on_invocation(event, context):
    match event["do"]:
        case "context":
            return json.loads(context.to_json())
        case "result":
            return RESULTS[event["name"]]
        case "raise":
            raise LookupError("on purpose")
        case "sleep":
            time.sleep(event["seconds"])
        case "meet":
            return TOGETHER.wait(10)
        case "note":
            NOTES.append([event["text"], context.request_id])
        case "notes":
            return NOTES
        case "hold":
            folder = Path(event["folder"])
            (folder / "held").touch()
            while not (folder / "go").exists():
                time.sleep(0.005)
    return "done"
