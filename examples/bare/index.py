"""A handler without a framework, reading what Function Compute puts into environ."""

HELLO_WORLD = b"Hello world!\n"


def handler(environ, start_response):
    # Only Function Compute, and whoever takes its place, has these two.
    context = environ["fc.context"]
    request_uri = environ["fc.request_uri"]

    # A request header "X-Custom-Key: value" is environ["HTTP_X_CUSTOM_KEY"].
    custom_headers = {
        name: value for name, value in environ.items() if name.startswith("HTTP_X_CUSTOM_")
    }

    try:
        request_body_size = int(environ.get("CONTENT_LENGTH", 0))
    except ValueError:
        request_body_size = 0
    request_body = environ["wsgi.input"].read(request_body_size)

    request_method = environ["REQUEST_METHOD"]
    path_info = environ["PATH_INFO"]
    server_protocol = environ["SERVER_PROTOCOL"]
    content_type = environ.get("CONTENT_TYPE", " ")
    query_string = environ.get("QUERY_STRING", " ")

    context.logger.info(
        "request %s for %s: %s, %s", context.request_id, request_uri, content_type, custom_headers
    )
    print(f"request_body: {request_body}")
    print(
        f"method: {request_method}\n path: {path_info}\n query_string: {query_string}\n"
        f" server_protocol: {server_protocol}\n"
    )

    start_response("200 OK", [("Content-type", "text/plain")])
    return [HELLO_WORLD]
