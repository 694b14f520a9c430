"""An event handler's result, as the body of InvokeFunction or as the response to an HTTP request.

Theory of operation: FC's runtime turns every result into bytes (text into UTF-8, everything else
into JSON).  Its HTTP trigger then checks whether these bytes are a response struct: a JSON object
with a `statusCode`.  If not, they are the body of a 200 of type `application/json`.

Source: FC 3.0, "Use an HTTP trigger to invoke a function", response struct.
"""

import json
import re
from base64 import b64decode
from binascii import Error as NotBase64
from typing import Any, Final, NamedTuple

from gateway.errors import BadResponse
from gateway.http.message import grammar
from gateway.http.message.response import BODILESS, interim_refusal
from gateway.text.exact_types import exact_bytes, exact_text

_JSON: Final = ("Content-Type", "application/json")

_OBJECT: Final = re.compile(rb"\s*\{")

_LINE_ENDS: Final = re.compile(r"[\r\n]+")
"""MIME encoders split base64 into lines (RFC 2045 §6.8)."""


class HttpResponse(NamedTuple):
    """Status, header fields and body, in the types of PEP 3333."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def output(result: object) -> bytes:
    """The bytes of a result.

    Raises:
        TypeError, ValueError, RecursionError: JSON cannot express the result.
    """
    if isinstance(result, bytes | bytearray | memoryview):
        return exact_bytes(result)
    if isinstance(result, str):
        return _utf8(result)
    return _json(result).encode()


def http_response(result: object) -> HttpResponse:
    """The response to an HTTP request.

    Raises:
        BadResponse: the result is an invalid response struct.
        TypeError, ValueError, RecursionError: JSON cannot express the result.
    """
    if isinstance(result, dict):
        if "statusCode" in result:
            return _response(_as_json(result))
        return HttpResponse("200", [_JSON], output(result))
    body = output(result)
    struct = _struct_in(body)
    return HttpResponse("200", [_JSON], body) if struct is None else _response(struct)


def _json(value: object) -> str:
    """`value` as JSON.

    Raises ValueError also for NaN and infinities: RFC 8259 §6 has none, and only Python reads its
    own form of them.
    """
    return json.dumps(value, allow_nan=False)


def _as_json(struct: dict[Any, Any]) -> dict[str, Any]:
    """The struct after a round trip through JSON: without tuples, enums and the like.

    A body of text, which may be large, takes no part in it.
    """
    body = struct.get("body")
    if not isinstance(body, str):
        return json.loads(_json(struct))  # type: ignore[no-any-return]  # An object, for a dict.
    plain: dict[str, Any] = json.loads(_json(struct | {"body": ""}))
    plain["body"] = body
    return plain


def _struct_in(body: bytes) -> dict[str, Any] | None:
    """The response struct that a handler has encoded itself; `None` if the body is not one."""
    if not _OBJECT.match(body) or b'"statusCode"' not in body:
        return None
    try:
        found = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return found if "statusCode" in found else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _response(struct: dict[str, Any]) -> HttpResponse:
    status = _status(struct["statusCode"])
    headers = _headers(struct.get("headers"))
    if int(status) not in BODILESS and not any(
        name.lower() == "content-type" for name, _ in headers
    ):
        headers.append(_JSON)
    return HttpResponse(status, headers, _body(struct.get("body"), struct.get("isBase64Encoded")))


def _status(given: object) -> str:
    text = given if isinstance(given, str) else str(given) if type(given) is int else ""
    if len(text) == 3 and text[0] == "1" and text.isascii() and text.isdigit():
        raise _bad(interim_refusal(int(text)))
    if len(text) != 3 or not (text.isascii() and text.isdigit()) or text < "200":
        raise _bad("statusCode is no number from 200 to 999")
    return text


def _headers(given: object) -> list[tuple[str, str]]:
    """The header fields; a list of values becomes several lines, which `Set-Cookie` needs."""
    if given is None:
        return []
    if not isinstance(given, dict):
        raise _bad("headers is not an object of names and values")
    return [
        (name, _value(name, value))
        for name, values in given.items()
        for value in (values if isinstance(values, list) else [values])
    ]


def _value(name: str, given: object) -> str:
    if isinstance(given, str):
        return given
    if type(given) is int:
        return str(given)
    token = grammar.TOKEN.match(name)  # The rest may be a whole line, with a secret in it.
    raise _bad(f"the value of header {token[0] if token else '':.100} is not text")


def _body(given: object, is_base64: object) -> bytes:
    if not (is_base64 is None or isinstance(is_base64, bool)):
        raise _bad("isBase64Encoded is neither true nor false")
    if given is None:
        return b""
    if not isinstance(given, str):
        raise _bad("body is not text; make JSON of it, or base64 with isBase64Encoded")
    if not is_base64:
        return _utf8(given)
    try:
        return b64decode(_LINE_ENDS.sub("", exact_text(given)), validate=True)
    except (NotBase64, ValueError):
        raise _bad("isBase64Encoded is true, and body is not base64") from None


def _utf8(text: str) -> bytes:
    """`text` in UTF-8.

    Python's text may have single halves of surrogate pairs.  Two that belong together are joined,
    and U+FFFD replaces others; JSON that passes through FC is treated in this way.
    """
    text = exact_text(text)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _bad(what: str) -> BadResponse:
    return BadResponse(f"the response struct of the handler is invalid: {what}")
