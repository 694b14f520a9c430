"""The page `docs/project-files.md`, made from the tables of keys."""

from gateway.config.options import OPTIONS
from gateway.project.functions import Component
from gateway.project.keys import DESCRIPTIVE, KEYS, WITHOUT_EFFECT, Key

_INTRO = """\
# Project files

A function that is described for [Serverless Devs](https://www.serverless-devs.com) runs as its
description says, without Docker:

```sh
gateway serve --project s.yaml
gateway serve --project s.yaml --function orders     # where there are several
gateway check --project s.yaml
gateway init hello                                   # files to begin with, s.yaml among them
```

The components `fc` (Function Compute 2.0) and `fc3` (3.0) are understood, with both editions of
the file: `services:` and `resources:`. `--function` takes a function's own name or that of its
resource. What the command line, `GATEWAY_…` variables or the TOML file set goes before the project,
and the project goes before Function Compute's own variables. The file is read once, at the start:
SIGHUP has the file read again, and loads the code anew.

What the file does not say keeps the gateway's own default, which is not always Function Compute's:
the handler has 60 seconds. An instance runs one request at a time on both, unless
`instanceConcurrency` says otherwise; `--workers auto` starts several.
"""

_KEYS = """
## Keys of `{component}`

Paths begin below `props`; `[]` is each item of a list.

| key | option | note |
| --- | --- | --- |
{rows}
"""

_MORE = """
Component `fc3` also chooses `--error-style fc3`. Of several HTTP triggers the one without a
`qualifier`, or with `LATEST`, counts, else the first.

- **Handler**: with a runtime of Python it is `handler`, and what it speaks follows from component
  and trigger. A TARGET given elsewhere replaces both.
- **Custom runtimes and containers** start a server of their own, so TARGET is needed: it is the
  first argument of `gateway serve`. Where the function itself runs `gateway serve`, by its command
  or a script such as `bootstrap` in the code folder, or where its variables hold `GATEWAY_TARGET`,
  its arguments and `GATEWAY_…` variables count here as well, except where it listens, `--chdir`
  and `--profile`; its paths are relative to the code.
- **Environment variables** are set in the process that runs the handler, before it is imported, and
  go before those of the shell, as with `s local`. They are the function's: a `GATEWAY_PORT` among
  them is for the code. `TZ` takes effect, and so do the folders of `PYTHONPATH`, where `/code`
  stands for the code folder. What the interpreter reads at its start only does not, such as
  `PYTHONOPTIMIZE`.
- **`authType: function`** needs the keys that may sign: `--auth-keys`, or `--auth anonymous` to do
  without. An HTTP trigger without `authType` means `function`, as on Function Compute. Where a
  function has no HTTP trigger, the file says nothing on who may call, and everybody who reaches the
  gateway may, unless `--auth function` is given.

## Expressions

| expression | stands for |
| --- | --- |
| `${env(NAME)}`, `${env('NAME')}`, `${env.NAME}` | an environment variable of the shell |
| `${env(NAME, default)}` | the same, or the default where it is not set |
| `${vars.a.b}`, `${vars.list[0]}` | a value under `vars:`, which may itself be an expression |
| `${this.name}`, `${this.access}`, `${this.props.code}` | a value of the resource itself |
| `${resources.NAME.props.…}` | a value of another; `services.` and the name alone work, too |
| `${file('name')}` | the text of a file, named from the project's folder on |
| `${json(file('name'))}`, `${json('…')}` | the value of a JSON text |
| `${path('folder')}` | the absolute path |

A default may be a text with or without quotes, or another expression. An expression is looked up
when its value is needed, so what deployment alone needs may stay unknown. `${config(…)}`,
`${resources.NAME.output.…}` and `${environment.…}` are known to Serverless Devs only: a variable
under `environmentVariables` that has one takes its value from the shell's variable of the same
name, and everything else that needs one is refused.

Aliases and merge keys (`<<: *usual`), `extend: other.yaml` at the top, and `template:` with
`extend:` in a resource work as there. Scalars mean what YAML 1.2 says: `on` is a text. A variable
`VERSION: 3.10` is `3.1`, as it is when it is deployed; quote it.

## What is said

Keys that are unknown, and known ones that have no effect here, are named with their lines in one
warning at the start:

```
gateway: warning: s.yaml: not understood: memroySize (line 9; did you mean memorySize?); \
without effect here: role (line 12)
```

What is wrong and needed ends the start, in one line and with exit status 2:

```
gateway: error: s.yaml:12: timeout: 'soon' is not a whole number; give one such as 60
```

So do a key that stands twice, a tag, an anchor within itself, and a file of more than 256 KB, of
20,000 values, or that expands to more than any project has. What
came out of an expression is not shown: it may be a secret.
"""

_IDLE = """
## Keys without effect here

They are about the cloud. Of other keys than these the warning says that they are unknown.

{lists}
Nothing is said about those that only describe: {descriptive}.
"""


def render_project_files() -> str:
    """The page."""
    parts = [_INTRO]
    for component, keys in KEYS.items():
        rows = "\n".join(map(_row, keys))
        parts.append(_KEYS.format(component=component, rows=rows))
    lists = "".join(_list(component) for component in KEYS)
    described = dict.fromkeys(path for paths in DESCRIPTIVE.values() for path in paths)
    shown = ", ".join(f"`{path}`" for path in described)
    return "".join([*parts, _MORE, _IDLE.format(lists=lists, descriptive=shown)])


def _row(key: Key) -> str:
    option = f"`{OPTIONS[key.option].flag}`" if key.option else ""
    return f"| `{key.path}` | {option} | {key.about} |"


def _list(component: Component) -> str:
    shown = ", ".join(f"`{path}`" for path in sorted(WITHOUT_EFFECT[component]))
    return f"- `{component}`: {shown}\n"
