"""A handler: a WSGI application, called with Function Compute's context in its environ."""


def handler(environ, start_response):
    context = environ["fc.context"]
    greeting = f"Hello from {context.function.name}, request {context.request_id}\n"
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [greeting.encode()]
