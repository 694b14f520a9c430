"""What ``gateway dev`` has for defaults."""

from typing import Final

from gateway.config.sources import Setting, Settings

DEVELOPMENT: Final[Settings] = {
    name: Setting(value, "gateway dev")
    for name, value in {
        "reload": True,
        "tracebacks": True,
        "log_tail": True,
        "access_log": "short",
        # What hangs should not keep old code, nor its developer who ends it.
        "drain_timeout": 5.0,
    }.items()
}
"""Every other source goes before them."""
