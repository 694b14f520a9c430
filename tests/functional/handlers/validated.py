"""A correct handler behind the standard library's validator, which watches both sides."""

from wsgiref.validate import validator


def answer(environ, start_response):
    form, _, status = environ["PATH_INFO"].strip("/").partition("/")
    size = environ.get("CONTENT_LENGTH")
    body = environ["wsgi.input"].read(int(size)) if size else b""
    environ["wsgi.errors"].write(f"form {form}\n")
    environ["wsgi.errors"].flush()
    if status in ("204", "304"):
        start_response(f"{status} Without Content", [])
        return []
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    text = f"{environ['REQUEST_METHOD']} ".encode() + body
    if form == "write":
        write(text[:3])
        write(text[3:])
        return []
    if form == "parts":
        return iter([text[:3], b"", text[3:]])
    if form == "lines":
        environ["wsgi.input"].readline(10)
        environ["wsgi.input"].readlines(10)
        return [text, *environ["wsgi.input"]]
    return [text]


handler = validator(answer)
