"""Where the gateway runs decides what is sensible: the defaults of a profile.

Whatever a source sets goes before them.
"""

from typing import Final

from gateway.fc import names

PROFILES: Final[dict[str, dict[str, str]]] = {
    "plain": {},
    "function-compute": {
        # One request at a time in an instance, and an instance for each that runs, nearly.
        "threads": "1",
        "workers": "auto",
        "exact_environ": "true",
        "lenient_start_response": "true",
        "fc_headers": "full",
        "function_log": "text",
        # Errors have the style of 2.0 by default; a project whose component is fc3 says fc3.
    },
    "custom-container": {
        # Function Compute connects from outside of the container.
        "host": "0.0.0.0",
        # It wants fifteen minutes at least, and must not meet a connection that just closes.
        "keep_alive_timeout": "20m",
        # A client's 8 KB, which it has checked, and its own fields, some of them long.
        "max_header_bytes": "32KB",
        # It says when: POST /initialize.
        "initialize": "lazy",
        # It takes standard output, and finds the lines of a request by its marks.
        "function_log": "text",
    },
}
"""Option and value, as a source would write it."""

LISTEN_PORTS: Final = (names.FC_CUSTOM_LISTEN_PORT, names.FC_SERVER_PORT)
"""Variables in which Function Compute tells a container its port: the first that is set counts."""
