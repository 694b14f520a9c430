"""An event handler of FC 3.0: called with HTTP requests, and with events by InvokeFunction."""

import json
from base64 import b64decode


def handler(event, context):
    request = json.loads(event)
    if "requestContext" not in request:
        return {"received": request, "requestId": context.request_id}

    name = request["queryParameters"].get("name", "world")
    body = request["body"]
    size = len(b64decode(body)) if request["isBase64Encoded"] else len(body.encode())
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "text/plain; charset=utf-8"},
        "body": f"Hello {name}! Your body has {size} bytes.\n",
    }
