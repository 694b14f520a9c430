"""The text of ``--help``."""

from dataclasses import replace
from textwrap import fill

from gateway.config.definition import Option
from gateway.config.options import grouped
from gateway.config.sources import Settings

_WIDTH = 88


def overview(commands: dict[str, str]) -> str:
    """Help for the gateway as a whole; `commands` has a sentence for each command."""
    return "\n".join(
        (
            "Usage: gateway COMMAND [TARGET] [options]",
            "",
            "Runs Python WSGI handlers the way Alibaba Function Compute does.",
            "",
            *(f"  gateway {name:<8} {sentence}" for name, sentence in commands.items()),
            "",
            "  gateway COMMAND --help    all options",
            "  gateway --version",
        )
    )


def command_help(name: str, sentence: str, defaults: Settings | None = None) -> str:
    """Help for one command with every option; `defaults` are its own."""
    lines = [
        f"Usage: gateway {name} [TARGET] [options]",
        "",
        sentence,
        "",
        _wrapped(
            "The command line goes before environment variables, those before the file given "
            "by --config, that before the one given by --project, and that before the defaults "
            "in brackets.",
            indent=0,
        ),
    ]
    for group, options in grouped().items():
        lines += ["", _wrapped(f"{group.title}: {group.intro}", indent=0)]
        for option in options:
            lines += [f"  {option.usage}", _wrapped(option.help, indent=6)]
            lines += [_origin(_with_default(option, defaults or {}))]
    lines += ["", "  -h, --help", "      This text."]
    return "\n".join(lines)


def _with_default(option: Option, defaults: Settings) -> Option:
    chosen = defaults.get(option.name)
    return option if chosen is None else replace(option, default=chosen.value)


def _origin(option: Option) -> str:
    variables = " or ".join(filter(None, (option.variable, option.fallback)))
    return f"      [{option.shown_default or 'none'}; {variables}]"


def _wrapped(text: str, indent: int) -> str:
    space = " " * indent
    return fill(
        text,
        _WIDTH,
        initial_indent=space,
        subsequent_indent=space,
        break_long_words=False,
        break_on_hyphens=False,
    )
