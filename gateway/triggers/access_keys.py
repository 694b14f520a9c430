"""The access keys that may sign, from a file or the environment, never from a command line.

The file is TOML with an entry for each key:

    "LTAI5t…" = "its secret"

    ["STS.NU…"]
    secret = "…"
    security_token = "…"
    expires = 2030-01-31T00:00:00Z

No message quotes a secret, nor text that may be a misplaced secret.
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gateway.errors import UsageError
from gateway.fc import names
from gateway.text.input_file import content_of

_MAX_BYTES: Final = 1024 * 1024
"""The limit of a key file."""

_KEY_ID: Final = re.compile(r"[!-+\--9;-~]{1,256}")
"""Printable ASCII without the separators `:` and `,`."""

_MAX_SECRET_CHARACTERS: Final = 4096

_PLACE: Final = re.compile(r"\(at line \d+, column \d+\)$")


class AccessKey:
    """One key: its secret, and the security token and expiry of a temporary key."""

    __slots__ = ("_secret", "expires", "security_token")

    def __init__(self, secret: str, security_token: str = "", expires: float | None = None) -> None:
        """`expires` is in seconds since 1970, `None` for never."""
        self._secret = secret.encode()
        self.security_token = security_token.encode()
        self.expires = expires

    def __repr__(self) -> str:
        return "<AccessKey>"

    @property
    def secret(self) -> bytes:
        """The secret that signs."""
        return self._secret


class AccessKeys:
    """All keys by id."""

    def __init__(self, keys: Mapping[str, AccessKey]) -> None:
        self._keys = dict(keys)

    def __repr__(self) -> str:
        return f"<AccessKeys {len(self._keys)}>"

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key_id: str) -> AccessKey | None:
        """The key with this id; `None` if there is none."""
        return self._keys.get(key_id)

    def joined(self, others: "AccessKeys") -> "AccessKeys":
        """The keys of both.

        Raises:
            UsageError: a key id is in both.
        """
        if self._keys.keys() & others._keys.keys():
            raise UsageError(
                f"a key id is in --auth-keys and in {names.FC_ACCESS_KEYS}: remove it from one"
            )
        return AccessKeys(self._keys | others._keys)


def read_keys(path: Path) -> AccessKeys:
    """Read the keys of a file.

    Raises:
        UsageError: the file cannot be read or is malformed.
    """
    data = content_of(path, "--auth-keys", most=_MAX_BYTES)
    if len(data) > _MAX_BYTES:
        raise UsageError(f"--auth-keys: {str(path)!r} is larger than 1 MB; is it the right file?")
    try:
        return parse_keys(data.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8 text; save it as UTF-8") from None


def is_open_to_all(path: Path) -> bool:
    """Whether all users of the machine may read the file."""
    try:
        return bool(path.stat().st_mode & 0o004)
    except OSError:
        return False


def parse_keys(text: str, place: str) -> AccessKeys:
    """Parse a TOML text with keys; `place` names it in messages.

    Raises:
        UsageError: it is not TOML, or an entry is not a key.
    """
    try:
        entries = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        where = _PLACE.search(str(error))  # The rest of the message may quote a secret.
        raise UsageError(
            f"{place}: is not TOML{' ' + where[0] if where else ''}; "
            'give lines such as "<key id>" = "<secret>"'
        ) from None
    keys = {}
    for number, (key_id, entry) in enumerate(entries.items(), 1):
        keys[_checked_id(key_id, f"{place}: key {number}")] = _key(entry, f"{place}: key {number}")
    if not keys:
        raise UsageError(f'{place}: has no keys; give lines such as "<key id>" = "<secret>"')
    return AccessKeys(keys)


def keys_of_variable(text: str) -> AccessKeys:
    """Parse the keys of the environment variable: `id:secret`, separated by commas.

    Raises:
        UsageError: an item is not such a pair, or an id occurs twice.
    """
    keys: dict[str, AccessKey] = {}
    for number, item in enumerate(filter(None, map(str.strip, text.split(","))), 1):
        place = f"{names.FC_ACCESS_KEYS}: key {number}"
        key_id, colon, secret = item.partition(":")
        if not colon:
            raise UsageError(f"{place}: is not id:secret")
        if _checked_id(key_id, place) in keys:
            raise UsageError(f"{place}: its id is there twice; remove one")
        keys[key_id] = AccessKey(_checked_text(secret, "secret", place))
    return AccessKeys(keys)


def _checked_id(key_id: str, place: str) -> str:
    if not _KEY_ID.fullmatch(key_id):
        raise UsageError(
            f"{place}: its id is none; give up to 256 printable characters without : , and spaces"
        )
    return key_id


def _key(entry: object, place: str) -> AccessKey:
    if isinstance(entry, str):
        return AccessKey(_checked_text(entry, "secret", place))
    if not isinstance(entry, dict):
        raise UsageError(f"{place}: is neither a secret nor a table with one")
    fields: dict[str, Any] = dict(entry)
    if "secret" not in fields:
        raise UsageError(f"{place}: has no secret; a key id with a dot is to be put in quotes")
    secret = _checked_text(fields.pop("secret"), "secret", place)
    token = fields.pop("security_token", None)
    token = "" if token is None else _checked_text(token, "security_token", place)
    expires = fields.pop("expires", None)
    if expires is not None and not isinstance(expires, datetime):
        raise UsageError(f"{place}: expires is no time; give one such as 2030-01-31T00:00:00Z")
    if fields:
        raise UsageError(f"{place}: may have secret, security_token and expires, and nothing else")
    if expires is not None and expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    return AccessKey(secret, token, None if expires is None else expires.timestamp())


def _checked_text(text: object, name: str, place: str) -> str:
    if not isinstance(text, str) or not text or len(text) > _MAX_SECRET_CHARACTERS:
        raise UsageError(f"{place}: its {name} is none; give a text in quotes that is not empty")
    if text.strip() != text or not text.isprintable():
        raise UsageError(f"{place}: its {name} has white space around it, or a control character")
    return text
