"""The page ``docs/settings.md``, made from the options: ``python -m gateway.config.page``."""

from gateway.config.definition import Option
from gateway.config.options import OPTIONS, grouped
from gateway.config.profiles import PROFILES

EXAMPLE = """\
target = "app.main:handler"
chdir = "code"              # beside this file

host = "0.0.0.0"
port = 8080
threads = 16
handler_timeout = "2m"

max_body = "6MB"
max_async_body = "64KB"
access_log = "json"
error_style = "plain"

function_name = "orders"
function_memory = 1024      # MB
"""

_INTRO = """\
# Settings

Each option below can be set in five ways. The first that sets it counts:

1. on the command line: `gateway serve app:handler --max-body 6MB`. Options may stand before or
   after `TARGET`, as `--max-body 6MB` or `--max-body=6MB`, in full. Given twice, the later counts.
2. by an environment variable: `GATEWAY_MAX_BODY=6MB`. An empty variable counts as not set.
3. by a key of a TOML file, which `--config FILE` or `GATEWAY_CONFIG` names: `max_body = "6MB"`,
   also written `max-body`. All keys stand at the top, without tables. Relative paths in the file
   are relative to the file's folder; elsewhere they are relative to the current folder.
4. by a project of Serverless Devs, which `--project FILE` or `GATEWAY_PROJECT` names; see
   [project files](project-files.md).
5. by Function Compute's own variable, where the tables name one (`FC_…`). It is only looked at
   when nothing else sets the option.

What nothing sets has the default of the [profile](#profiles), or that of the tables.

`gateway check` takes the same options as `gateway serve`, and so does `gateway dev`, which has
[other defaults](development.md) for a few. A mistake in any source, even in a setting that another
source replaces, ends the start: one line on standard error says what is wrong, and the exit status
is 2. Unknown options and keys are such mistakes. Unknown `GATEWAY_…` variables are named in a
warning, and are mistakes with `--strict-environment`.

## What a reload takes

On SIGHUP the supervisor reads all sources again, with the command line and the environment of the
start: the TOML file, the project, and files that they name. New workers have the new settings and
take over one at a time.

- A mistake changes nothing, neither code nor settings. One line of the log names it.
- Options marked *fixed* belong to more than one worker and are read at the start only. A line of
  the log names those that have changed and need a restart. With `--reload`, `--chdir` is one of
  them, because its folder is watched.
- With `--workers 0` there is no supervisor, and SIGHUP only writes a line.

## Values

| kind | written | meaning |
| --- | --- | --- |
| SIZE | `512`, `512B`, `8KB`, `1.5MB`, `1GB`, `32 MiB` | bytes when without a unit; up to 1024GB |
| TIME | `30`, `1.5s`, `500ms`, `2m`, `1h` | seconds when without a unit; up to 8760h |
| MB | `512`, `512MB`, `1GB` | memory; MB when without a unit |
| switch | `--tracebacks`, `--no-tracebacks` | elsewhere `true`, `1`, `yes`, `on` or the opposite |

KB, MB and GB are powers of 1024, as on Function Compute; KiB, MiB and GiB mean the same. Units may
be in capitals or not, with or without a space before them. In TOML a value with a unit needs
quotes, a plain number does not.

## An example `gateway.toml`

```toml
{example}```

```sh
gateway serve --config gateway.toml --port 9000
```
"""

_OUTRO = """\

## Settings that belong together

- One place to listen on: `--unix` excludes `--fd`, and both exclude `--host` and `--port`,
  wherever they are set.
- `--max-async-body` may not be larger than `--max-body`, nor `--body-buffer` larger than
  `--body-memory`. That is refused when both are set. When only one of the two is, the default of
  the other follows: `--max-body 1KB` alone also makes `--max-async-body` 1KB, and
  `--body-buffer 512MB` alone also makes `--body-memory` 512MB.

## Profiles

`--profile function-compute` is as near to a built-in runtime of
[Function Compute](fc-compatibility.md#in-one-word) as it gets; `--profile custom-container` is for
[inside Function Compute](custom-container.md). These are their defaults:

{profiles}

In a custom container the port comes from `FC_CUSTOM_LISTEN_PORT`, or from `FC_SERVER_PORT` where
that is not set.

## Variables of Kubernetes

Kubernetes gives every pod variables about its Services. For a Service called `gateway` (or
`gateway-…`) their names begin like the gateway's own. They are recognised and ignored:

- `GATEWAY_SERVICE_HOST`, `GATEWAY_SERVICE_PORT`, `GATEWAY_SERVICE_PORT_<NAME>`,
- `GATEWAY_PORT` with a value such as `tcp://10.0.0.1:80`,
- `GATEWAY_PORT_80_TCP` and the same with `_ADDR`, `_PORT` or `_PROTO` at the end, for any port
  number and also for `UDP` and `SCTP`.

A pod without them sets `enableServiceLinks: false`.
"""


def settings_page() -> str:
    """The page as Markdown."""
    parts = [_INTRO.format(example=EXAMPLE)]
    for group, options in grouped().items():
        rows = "\n".join(map(_row, options))
        parts.append(
            f"\n## {group.title}\n\n{group.intro}\n\n"
            "| option | environment variable | TOML key | default | what it does |\n"
            f"| --- | --- | --- | --- | --- |\n{rows}\n"
        )
    return "".join(parts) + _OUTRO.format(profiles=_profiles())


def _profiles() -> str:
    names = [name for name, defaults in PROFILES.items() if defaults]
    options = [name for name in OPTIONS if any(name in PROFILES[each] for each in names)]
    lines = [f"| option | {' | '.join(map(_code, names))} |", "| --- |" + " --- |" * len(names)]
    for option in options:
        cells = [
            _code(PROFILES[each][option]) if option in PROFILES[each] else "" for each in names
        ]
        lines.append(f"| {_code(OPTIONS[option].flag)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _row(option: Option) -> str:
    cells = (
        ", ".join(map(_code, option.usage.split(", "))),
        " or ".join(_code(name) for name in (option.variable, option.fallback) if name),
        _code(option.name) if option.in_file else "",
        _code(option.shown_default) if option.shown_default else "none",
        option.help + (" *Fixed.*" if option.is_fixed else ""),
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _code(text: str) -> str:
    return f"`{text}`"


if __name__ == "__main__":
    print(settings_page(), end="")
