"""An HTTP function of FC 2.0, as it was: nothing here knows where it runs now."""

import json
import logging

catalogue = {}


def initialize(context):
    """Runs once in each instance, before its first request."""
    context.getLogger().info("loading the catalogue of %s", context.region)
    catalogue.update(tea=3, coffee=4)


def handler(environ, start_response):
    """Answers GET /price/<what>."""
    context = environ["fc.context"]
    what = environ["PATH_INFO"].removeprefix("/price/")
    logging.getLogger().info("asked for %s", what)
    if what not in catalogue:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"we do not sell that\n"]
    answer = {
        "what": what,
        "price": catalogue[what],
        "function": context.function.name,
        "request": context.request_id,
        "uri": environ["fc.request_uri"],
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]


def pre_stop(context):
    """Runs before the instance is gone."""
    print("closing the catalogue of", context.region)
