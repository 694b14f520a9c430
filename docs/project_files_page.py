"""The page `docs/project-files.md`, made from the tables of keys."""

from gateway.config.options import OPTIONS
from gateway.project.functions import Component
from gateway.project.keys import DESCRIPTIVE, KEYS, WITHOUT_EFFECT, Key

_INTRO = """\
# Project files

A function described for [Serverless Devs](https://www.serverless-devs.com) runs as its description
says, without Docker:

```sh
gateway serve --project s.yaml
gateway serve --project s.yaml --function orders     # where there are several
gateway check --project s.yaml
gateway init hello                                   # files to begin with, s.yaml among them
```

The gateway understands the components `fc` (Function Compute 2.0) and `fc3` (3.0) and both editions
of the file: `services:` and `resources:`. `--function` takes a function's own name or that of its
resource. The command line, `GATEWAY_…` variables and the TOML file override the project; the
project overrides Function Compute's own variables. The file is read at the start, and again on
SIGHUP.

A key that is absent leaves the gateway's default, which is not always Function Compute's: the
handler has 60 seconds. As there, an instance runs one request at a time unless
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
`qualifier`, or with `LATEST`, counts, otherwise the first.

- **Handler**: with a runtime of Python it is `handler`; component and trigger decide its interface.
  A TARGET given elsewhere replaces both.
- **Custom runtimes and containers** start a server of their own, so TARGET is needed: it is the
  first argument of `gateway serve`. Where the function itself runs `gateway serve`, by its command
  or a script such as `bootstrap` in the code folder, or where its variables hold `GATEWAY_TARGET`,
  its arguments and `GATEWAY_…` variables count here as well, except for the listening address,
  `--chdir` and `--profile`; its paths are relative to the code.
- **Environment variables** are set in the process that runs the handler, before it is imported, and
  go before those of the shell, as with `s local`. They are the function's: a `GATEWAY_PORT` among
  them is for the code. `TZ` takes effect, and so do the folders of `PYTHONPATH`, where `/code`
  stands for the code folder. Variables that the interpreter reads only at its start, such as
  `PYTHONOPTIMIZE`, have no effect.
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

A default may be a text with or without quotes, or another expression. An expression is evaluated
when its value is needed, so values that only deployment needs may stay unknown. `${config(…)}`,
`${resources.NAME.output.…}` and `${environment.…}` are known to Serverless Devs only: a variable
under `environmentVariables` with one takes its value from the shell's variable of that name, and
any other key that needs one is refused.

Aliases and merge keys (`<<: *usual`), `extend: other.yaml` at the top, and `template:` with
`extend:` in a resource work as there. Scalars mean what YAML 1.2 says: `on` is a text. A variable
`VERSION: 3.10` is `3.1`, as it is when it is deployed; quote it.

## Warnings and errors

One warning at the start names unknown keys, and known keys without effect here, with their lines:

```
gateway: warning: s.yaml: not understood: memroySize (line 9; did you mean memorySize?); \
without effect here: role (line 12)
```

A mistake in a key that is needed ends the start, with one line and exit status 2:

```
gateway: error: s.yaml:12: timeout: 'soon' is not a whole number; give one such as 60
```

So do a repeated key, a tag, an anchor within itself, and a file of more than 256 KB, of more than
20,000 values, or that expands to more than any project has. Values of expressions are not shown,
because they may be secrets.
"""

_IDLE = """
## Keys without effect here

They concern the cloud. The warning calls all other keys unknown.

{lists}
No warning names keys that only describe: {descriptive}.
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
