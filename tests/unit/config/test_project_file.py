"""A project's keys as settings: what each sets, which source goes first, and what is refused."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config, load
from gateway.errors import UsageError

FC = """\
edition: 1.0.0
name: shop
access: default
vars:
  service:
    name: shop-service
    description: all of it
    logConfig:
      project: shop-logs
      logstore: requests
services:
  orders:
    component: devsapp/fc
    props:
      region: cn-hangzhou
      service: ${vars.service}
      function:
        name: orders
        description: takes orders
        runtime: python3.10
        handler: shop/index.handler
        codeUri: ./code
        timeout: 7
        memorySize: 256
        instanceConcurrency: 3
        initializer: index.initialize
        initializationTimeout: 20
        instanceLifecycleConfig:
          preFreeze:
            handler: index.pre_freeze
            timeout: 21
          preStop:
            handler: index.pre_stop
            timeout: 22
        environmentVariables:
          PLAIN: text
          NUMBER: 1.0
          SWITCH: true
          EMPTY: ''
          GATEWAY_PORT: 80
      triggers:
        - name: timer
          type: timer
          config: {payload: x}
        - name: http
          type: http
          qualifier: blue
          config:
            authType: function
            methods: [GET, POST]
"""

FC3 = """\
edition: 3.0.0
name: shop
access: default
vars:
  timeout: 8
resources:
  orders_function:
    component: fc3
    props:
      region: cn-beijing
      functionName: orders
      runtime: python3.10
      handler: index.handler
      code: code
      timeout: ${vars.timeout}
      memorySize: 1024
      instanceConcurrency: 20
      logConfig:
        project: shop-logs
        logstore: requests
      instanceLifecycleConfig:
        initializer:
          handler: index.initialize
          timeout: 30
        preFreeze:
          handler: index.pre_freeze
          timeout: 31
        preStop:
          handler: index.pre_stop
          timeout: 32
      environmentVariables:
        STAGE: dev
      triggers:
        - triggerName: http
          triggerType: http
          triggerConfig:
            authType: anonymous
            methods:
              - GET
              - HEAD
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a project beside a folder `code`; each change replaces a part of its text."""
    (tmp_path / "code").mkdir()

    def put(text: str, *changes: tuple[str, str], name: str = "s.yaml") -> Path:
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return put


def changed(config: Config) -> dict[str, Any]:
    """The settings that are not the default ones."""
    plain = Config()
    names = [made.name for made in dataclasses.fields(Config) if made.compare]
    return {
        name: getattr(config, name)
        for name in names
        if getattr(config, name) != getattr(plain, name)
    }


def refused(path: Path, *arguments: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(UsageError) as refusal:
        load(["--project", str(path), *arguments], environ or {})
    return str(refusal.value).replace(str(path), path.name)


def line_of(text: str, path: Path) -> int:
    before, found, _ = path.read_text("utf-8").partition(text)
    assert found, text
    return before.count("\n") + 1


def test_component_fc(write: Write) -> None:
    path = write(FC)
    settings = changed(load(["--project", str(path)], {}))
    assert settings == {
        "project": path,
        "region": "cn-hangzhou",
        "service_name": "shop-service",
        "log_project": "shop-logs",
        "log_store": "requests",
        "function_name": "orders",
        "target": "shop/index.handler",
        "interface": "wsgi",
        "chdir": path.parent / "code",
        "handler_timeout": 7.0,
        "function_memory": 256,
        "threads": 3,
        "initializer": "index.initialize",
        "initializer_timeout": 20.0,
        "pre_freeze": "index.pre_freeze",
        "pre_freeze_timeout": 21.0,
        "pre_stop": "index.pre_stop",
        "pre_stop_timeout": 22.0,
        "methods": ("GET", "POST"),
        "auth": "function",
        "qualifier": "blue",
        "environment": (
            ("PLAIN", "text"),
            ("NUMBER", "1"),
            ("SWITCH", "true"),
            ("EMPTY", ""),
            ("GATEWAY_PORT", "80"),
        ),
        "notices": (
            f"{path}: without effect here: the trigger of type timer "
            f"(line {line_of('        - name: timer', path)})",
        ),
    }


def test_custom_domains_have_no_effect_and_that_is_said(write: Write) -> None:
    path = write(FC + "      customDomains: [{domainName: auto, protocol: HTTP}]\n")
    config = load(["--project", str(path)], {})
    (notice,) = config.notices
    assert f"customDomains (line {line_of('customDomains', path)})" in notice
    assert config.methods == ("GET", "POST")


def test_component_fc3(write: Write) -> None:
    path = write(FC3)
    assert changed(load(["--project", str(path)], {})) == {
        "project": path,
        "region": "cn-beijing",
        "log_project": "shop-logs",
        "log_store": "requests",
        "function_name": "orders",
        "target": "index.handler",
        "interface": "fc-event",
        "chdir": path.parent / "code",
        "handler_timeout": 8.0,
        "function_memory": 1024,
        "threads": 20,
        "initializer": "index.initialize",
        "initializer_timeout": 30.0,
        "pre_freeze": "index.pre_freeze",
        "pre_freeze_timeout": 31.0,
        "pre_stop": "index.pre_stop",
        "pre_stop_timeout": 32.0,
        "methods": ("GET", "HEAD"),
        "error_style": "fc3",
        "environment": (("STAGE", "dev"),),
    }


# -- Which source counts ---------------------------------------------------------------------------


def test_what_other_sources_set_goes_before_the_project(write: Write, tmp_path: Path) -> None:
    path = write(FC)
    toml = tmp_path / "gateway.toml"
    toml.write_text("threads = 5\nregion = 'toml'\nservice_name = 'toml'")
    environ = {
        "GATEWAY_REGION": "variable",
        "GATEWAY_FUNCTION_NAME": "variable",
        "FC_QUALIFIER": "fc",
        "FC_ACCOUNT_ID": "42",
    }
    arguments = ["--project", str(path), "--config", str(toml), "--function-name", "typed"]
    config = load(arguments, environ)
    assert config.function_name == "typed"
    assert config.region == "variable"
    assert (config.service_name, config.threads) == ("toml", 5)
    assert (config.qualifier, config.function_memory) == ("blue", 256)
    assert config.account_id == "42"


def test_the_project_may_be_named_by_the_environment(write: Write) -> None:
    path = write(FC)
    assert load([], {"GATEWAY_PROJECT": str(path), "GATEWAY_FUNCTION": "orders"}).threads == 3


def test_another_handler_has_its_own_interface(write: Write) -> None:
    config = load(["site:app", "--project", str(write(FC))], {})
    assert (config.target, config.interface) == ("site:app", "auto")


def test_a_port_gives_way_to_another_place_to_listen(write: Write) -> None:
    custom = ("runtime: python3.10", "runtime: custom\n      customRuntimeConfig: {port: 8081}")
    path = write(FC3, custom)
    assert load(["a:b", "--project", str(path)], {}).port == 8081
    assert load(["a:b", "--project", str(path), "--unix", "g.sock"], {}).port == 9000
    assert load(["a:b", "--project", str(path), "--port", "0"], {}).port == 0


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        (("timeout: 7", "timeout: ${env(UNSET)}"), ("--handler-timeout", "5")),
        (("codeUri: ./code", "codeUri: absent"), ("--chdir", ".")),
        (("        handler: shop/index.handler\n", ""), ("index.handler",)),
        (("authType: function", "authType: other"), ("--auth", "anonymous")),
        (("methods: [GET, POST]", "methods: {a: b}"), ("--methods", "GET")),
        (("runtime: python3.10", "runtime: nodejs18"), ("index.handler",)),
    ],
)
def test_what_another_source_sets_is_not_looked_at(
    change: tuple[str, str], arguments: tuple[str, ...], write: Write
) -> None:
    path = write(FC, change)
    load([*arguments, "--project", str(path)], {})
    assert refused(path).startswith("s.yaml")


# -- Functions -------------------------------------------------------------------------------------

SEVERAL = """\
resources:
  first:
    component: fc3
    props: &props
      functionName: one
      runtime: python3.10
      handler: index.handler
      code: code
      region: cn-hangzhou
  second:
    component: ${env('COMPONENT', path('../fc3'))}
    props:
      <<: *props
      functionName: ${env(NAME_OF_SECOND, two)}
      timeout: 5
  third:
    component: devsapp/fc3@0.1.0
    props: {<<: *props, functionName: twice}
  fourth:
    component: fc3
    props: {<<: *props, functionName: twice, timeout: 6}
  network:
    component: vpc
    props: {region: cn-hangzhou}
services:
  service-alone:
    component: fc
    props:
      service: {name: s}
"""


@pytest.mark.parametrize(
    ("wanted", "name"),
    [("one", "one"), ("two", "two"), ("second", "two"), ("first", "one"), ("fourth", "twice")],
)
def test_a_function_is_chosen_by_its_name_or_by_its_resource(
    wanted: str, name: str, write: Write
) -> None:
    config = load(["--project", str(write(SEVERAL)), "--function", wanted], {})
    assert config.function_name == name


def test_several_functions_are_listed(write: Write) -> None:
    path = write(SEVERAL)
    assert refused(path) == (
        "s.yaml: has several functions; choose one with --function: first, second, third, fourth"
    )
    assert refused(path, "--function", "secnd") == (
        "--function: s.yaml has no function 'secnd'; did you mean second? "
        "it has first, second, third, fourth"
    )
    assert refused(path, environ={"GATEWAY_FUNCTION": "twice"}) == (
        "GATEWAY_FUNCTION: s.yaml has several functions 'twice'; give one of their resources: "
        "third, fourth"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "name: x",
            "s.yaml: has no function; it needs resources: (or services:) with component: and "
            "props:",
        ),
        (
            "resources: {}",
            "s.yaml: has no function; it needs resources: (or services:) with component: and "
            "props:",
        ),
        ("name: x\nresuorces: {}", "s.yaml:2: resuorces: is unknown; did you mean resources?"),
        (
            "resources:\n  a:\n    component: vpc\n    props: {}",
            "s.yaml:3: a: is of component 'vpc'; give fc or fc3, or name another file",
        ),
        (
            "services:\n  a:\n    component: devsapp/fc@0.1\n    porps: {function: {}}",
            "s.yaml:2: a: has no function: in its props:; give it one, or name another file",
        ),
        (
            "services:\n  a: {props: {}}",
            "s.yaml:2: a: has no component:; give fc or fc3, and props:, or name another file",
        ),
        ("resources: [a]", "s.yaml:1: resources: is no mapping; give names with props:"),
        (
            "resources:\n  a:\n    component: fc3\n    props: x",
            "s.yaml:4: props: is no mapping; give keys and values below it",
        ),
        (
            "resources:\n  a:\n    component: fc\n    props: {function: [x]}",
            "s.yaml:4: function: is no mapping; give keys and values below it",
        ),
    ],
)
def test_a_file_without_a_function_is_refused(text: str, line: str, write: Write) -> None:
    assert refused(write(text)) == line


def test_a_function_needs_a_project() -> None:
    with pytest.raises(UsageError) as refusal:
        load(["--function", "orders"], {})
    assert str(refusal.value) == "--function needs --project: set it, or remove the first"


# -- Inheritance -----------------------------------------------------------------------------------


def test_a_file_may_extend_another(write: Write) -> None:
    base = write(FC, name="base.yaml")
    own = write(
        "extend: base.yaml\n"
        "services:\n"
        "  orders:\n"
        "    props:\n"
        "      service: {name: staging}\n"
        "      function: {timeout: 60, layers: [x]}\n"
        "      triggers: []\n",
        name="s.staging.yaml",
    )
    config = load(["--project", str(own)], {})
    assert (config.handler_timeout, config.function_memory) == (60.0, 256)
    assert config.methods == ()
    assert config.notices == (f"{own}: without effect here: function.layers (line 6)",)
    base.write_text(FC.replace("memorySize: 256", "memorySize: much"))
    assert refused(own) == (
        f"{base}:{line_of('memorySize', base)}: memorySize: 'much' is not a whole number; "
        "give one such as 60"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("extend: s.yaml", "s.yaml:1: extend: goes round in circles; remove it"),
        ("extend: [a]", "s.yaml:1: extend: takes the name of a file; give one"),
        ("\nextend: absent.yaml", "s.yaml:2: extend: cannot read"),
    ],
)
def test_a_file_that_cannot_be_extended(text: str, line: str, write: Write) -> None:
    assert refused(write(text)).startswith(line)


TEMPLATE = """\
template:
  usual:
    runtime: python3.10
    handler: index.handler
    code: code
    timeout: 5
    memorySize: 256
resources:
  orders:
    component: fc3
    extend: {name: usual, ignore: [memorySize]}
    props:
      functionName: orders
      timeout: 6
"""


def test_a_resource_may_extend_a_template(write: Write) -> None:
    config = load(["--project", str(write(TEMPLATE))], {})
    assert (config.target, config.handler_timeout) == ("index.handler", 6.0)
    assert config.function_memory == Config().function_memory
    assert refused(write(TEMPLATE, ("name: usual", "name: usal"))) == (
        "s.yaml:11: extend: there is no template 'usal'; did you mean usual?"
    )
    assert refused(write(TEMPLATE, ("{name: usual, ignore: [memorySize]}", "[usual]"))) == (
        "s.yaml:11: extend: names no template; give its name"
    )


# -- Values that are refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            ("timeout: 7", "timeout: soon"),
            "timeout: 'soon' is not a whole number; give one such as 60",
        ),
        (
            ("timeout: 7", "timeout: 0"),
            "timeout: '0' is too small; give at least 1",
        ),
        (
            ("timeout: 7", "timeout: 1.5"),
            "timeout: '1.5' is not a whole number; give one such as 60",
        ),
        (
            ("timeout: 7", "timeout: 7s"),
            "timeout: '7s' is not a whole number; give one such as 60",
        ),
        (("timeout: 7", "timeout: [7]"), "timeout: is a list; give a single value"),
        (
            ("timeout: 7", "timeout: 999999999999"),
            "timeout: '999999999999' is too large; give at most 8760h",
        ),
        (
            ("timeout: 7", "timeout: ${env(UNSET)}"),
            "timeout: ${env(UNSET)}: there is no environment variable UNSET; set it, "
            "or give a default as ${env('UNSET', 'text')}",
        ),
        (
            ("memorySize: 256", "memorySize: true"),
            "memorySize: 'true' is not a whole number; give one such as 60",
        ),
        (
            ("instanceConcurrency: 3", "instanceConcurrency: 1025"),
            "instanceConcurrency: '1025' is too large; give at most 1024",
        ),
        (
            ("initializationTimeout: 20", "initializationTimeout: 301"),
            "initializationTimeout: '301' is too large; give at most 300s",
        ),
        (
            ("timeout: 22", "timeout: 91"),
            "timeout: '91' is too large; give at most 90s",
        ),
        (
            ("shop/index.handler", "handler"),
            "handler: Invalid handler 'handler': give package.module:handler or module.handler "
            "[InvalidHandleName]",
        ),
        (
            ("shop/index.handler", "index.py"),
            "handler: Invalid handler 'index.py': it is a file name; "
            "give its module and the handler: app:handler [InvalidHandleName]",
        ),
        (
            ("        handler: shop/index.handler\n", ""),
            "handler: is missing; give module.function, or gateway serve TARGET --project s.yaml",
        ),
        (
            ("runtime: python3.10", "runtime: nodejs18"),
            "runtime: nodejs18 is not Python; "
            "name the Python handler: gateway serve TARGET --project s.yaml",
        ),
        (
            ("runtime: python3.10", "runtime: custom"),
            "runtime: custom starts a server of its own; "
            "name the Python handler: gateway serve TARGET --project s.yaml",
        ),
        (
            ("        runtime: python3.10\n", ""),
            "runtime: is missing; give one, such as python3.10",
        ),
        (
            ("codeUri: ./code", "codeUri: absent"),
            "codeUri: there is no 'absent'; name the folder of the code, "
            "from this file on, or give --chdir",
        ),
        (
            ("codeUri: ./code", "codeUri: s.yaml"),
            "codeUri: 's.yaml' is a file; name the folder that it is made from, or give --chdir",
        ),
        (
            ("codeUri: ./code", "ossBucket: b"),
            "codeUri: is missing; give the folder of the code, or --chdir",
        ),
        (
            (
                "preStop:\n            handler: index.pre_stop\n            timeout: 22\n",
                "preStop: x\n",
            ),
            "preStop: is no mapping; give keys and values",
        ),
        (
            ("authType: function", "authType: basic"),
            "authType: 'basic' is not a choice here; give anonymous, function or jwt",
        ),
        (
            ("methods: [GET, POST]", "methods: [GET, 'P T']"),
            "methods: 'GET,P T' is not a list of methods; give some such as GET,POST",
        ),
        (
            ("methods: [GET, POST]", "methods: {GET: 1}"),
            "methods: holds a mapping; give names",
        ),
        (("PLAIN: text", "PLAIN: [a]"), "PLAIN: is a list; give a text, or quote"),
        (("PLAIN: text", "PLAIN:"), "PLAIN: has no value; give '' for an empty one"),
        (("PLAIN: text", "'A=B': x"), "'A=B' cannot be the name of a variable"),
        (("PLAIN: text", "'': x"), "'' cannot be the name of a variable"),
        (
            ("PLAIN: text", r"""PLAIN: ${json('"\u0000"')}"""),
            "PLAIN: holds a NUL character; remove it",
        ),
        (
            ("PLAIN: text", r"""PLAIN: ${json('"\ud800"')}"""),
            "PLAIN: is no text; remove half characters",
        ),
        (
            ("service: ${vars.service}", "service: text"),
            "service: is no mapping; give keys and values",
        ),
        (
            ("region: cn-hangzhou", "region: 'a\tb'"),
            "region: 'a\\tb' holds a character that cannot be printed; remove it",
        ),
    ],
)
def test_a_mistake_names_file_line_and_key(
    change: tuple[str, str], line: str, write: Write
) -> None:
    path = write(FC, change)
    # What is missing is told with the first line of the function.
    at = "        name: orders" if " is missing" in line else change[1].partition("\n")[0]
    assert refused(path) == f"s.yaml:{line_of(at, path)}: {line}"


def test_a_trigger_list_is_a_list_of_mappings(write: Write) -> None:
    start = FC.index("      triggers:")
    path = write(FC[:start] + "      triggers: {http: x}")
    assert refused(path) == (
        f"s.yaml:{line_of('triggers', path)}: triggers: is no list; begin each with a dash"
    )
    path = write(FC[:start] + "      triggers:\n        - http")
    assert refused(path) == (
        f"s.yaml:{line_of('- http', path)}: triggers: a trigger is a mapping; give its keys"
    )


def test_a_value_from_the_environment_is_not_shown(write: Write) -> None:
    for key, old in (("timeout", "7"), ("memorySize", "256"), ("handler", "shop/index.handler")):
        text = refused(
            write(FC, (f" {key}: {old}\n", f" {key}: ${{env(S)}}\n")), environ={"S": "!secret"}
        )
        assert "secret" not in text
        assert "${env(S)}" in text


def test_variables_are_in_no_repr(write: Write) -> None:
    config = load(["--project", str(write(FC, ("PLAIN: text", "PLAIN: secret")))], {})
    assert ("PLAIN", "secret") in config.environment
    assert "secret" not in repr(config)


# -- Variables that the cloud knows ----------------------------------------------------------------


def test_a_variable_known_to_the_cloud_only_may_be_set_outside(write: Write) -> None:
    path = write(FC3, ("STAGE: dev", "DATABASE: ${config(AccountID)}"))
    assert refused(path) == (
        f"s.yaml:{line_of('DATABASE', path)}: DATABASE: ${{config(AccountID)}} is known to "
        "Serverless Devs only, or once it is deployed; use ${env('NAME')} and set the variable, "
        "or set DATABASE itself"
    )
    config = load(["--project", str(path)], {"DATABASE": "local"})
    assert config.environment == (("DATABASE", "local"),)


# -- Triggers --------------------------------------------------------------------------------------

KEY_SET = {"keys": [{"kty": "RSA", "n": "abc", "e": "AQAB", "use": "sig", "alg": "RS256"}]}


def jwt_trigger(jwks: str) -> tuple[str, str]:
    return (
        "            authType: anonymous\n",
        f"            authType: jwt\n            authConfig: {{jwks: {jwks}, tokenLookup: x}}\n",
    )


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(KEY_SET),
        f"'{json.dumps(KEY_SET)}'",
        "{keys: [{kty: RSA, n: abc, e: AQAB, use: sig, alg: RS256}]}",
    ],
)
def test_a_key_set_comes_along_as_json(written: str, write: Write) -> None:
    config = load(["--project", str(write(FC3, jwt_trigger(written)))], {})
    assert config.auth == "jwt"
    assert json.loads(str(config.jwks)) == KEY_SET
    assert "triggers.triggerConfig.authConfig.tokenLookup (line" in config.notices[0]


@pytest.mark.parametrize("written", ["text", "[a]", "{key: x}", "{keys: x}", "'{'"])
def test_what_is_no_key_set_is_refused(written: str, write: Write) -> None:
    path = write(FC3, jwt_trigger(written))
    assert refused(path) == (
        f"s.yaml:{line_of('jwks', path)}: jwks: is no JSON Web Key Set; "
        "give keys: with a list of keys"
    )


def test_the_http_trigger_of_the_newest_version_counts(write: Write) -> None:
    start = FC3.index("        - triggerName")
    trigger = FC3[start:]
    blue = trigger.replace("http\n", "blue\n", 1).replace(
        "triggerType: http", "triggerType: http\n          qualifier: blue"
    )
    both = write(FC3[:start] + blue.replace("- HEAD", "- PUT") + trigger)
    config = load(["--project", str(both)], {})
    assert (config.methods, config.qualifier) == (("GET", "HEAD"), "LATEST")
    assert "another HTTP trigger (line" in config.notices[0]
    config = load(["--project", str(write(FC3[:start] + blue + blue))], {})
    assert config.qualifier == "blue"


def test_a_function_of_fc_without_an_http_trigger_takes_events(write: Write) -> None:
    path = write(FC[: FC.index("      triggers:")])
    config = load(["--project", str(path)], {})
    assert (config.interface, config.auth, config.methods) == ("fc-event", "anonymous", ())


AUTH = {
    "fc": (FC, "            authType: function\n"),
    "fc3": (FC3, "            authType: anonymous\n"),
}


@pytest.mark.parametrize("component", AUTH)
@pytest.mark.parametrize("written", ["", "            authType:\n", "            authType: null\n"])
def test_a_trigger_without_auth_type_asks_for_signatures(
    component: str, written: str, write: Write
) -> None:
    """Function Compute's own default; never everybody's."""
    text, auth_type = AUTH[component]
    path = write(text, (auth_type, written))
    config = load(["--project", str(path)], {})
    assert config.auth == "function"
    trigger = line_of("- name: http" if component == "fc" else "- triggerName", path)
    assert config.places["auth"] == (
        f"{path}:{trigger}: authType, which is missing (anonymous would let everybody call)"
    )
    assert load(["--project", str(path), "--auth", "anonymous"], {}).auth == "anonymous"


@pytest.mark.parametrize("config", ["            x: y\n", ""])
def test_a_trigger_without_a_configuration_asks_for_signatures(config: str, write: Write) -> None:
    start = FC3.index("          triggerConfig:")
    written = f"          triggerConfig:\n{config}" if config else ""
    assert load(["--project", str(write(FC3[:start] + written))], {}).auth == "function"


@pytest.mark.parametrize(
    "auth_type", ["''", "anonymously", "none", "false", "auto", "0", "[anonymous]", "{}"]
)
def test_no_other_auth_type_lets_anybody_in(auth_type: str, write: Write) -> None:
    path = write(FC3, ("authType: anonymous", f"authType: {auth_type}"))
    assert "authType: " in refused(path)


@pytest.mark.parametrize("methods", ["[]", "''", "['']"])
def test_no_methods_are_not_all_methods(methods: str, write: Write) -> None:
    path = write(FC, ("methods: [GET, POST]", f"methods: {methods}"))
    assert refused(path) == (
        f"s.yaml:{line_of('methods', path)}: methods: has none, so nobody may call; name some, "
        "or remove the key"
    )


# -- Custom runtimes -------------------------------------------------------------------------------


def custom(written: str, write: Write, runtime: str = "custom.debian11") -> Path:
    return write(FC3, ("      runtime: python3.10\n", f"      runtime: {runtime}\n{written}"))


@pytest.mark.parametrize(
    ("runtime", "written"),
    [
        ("custom", "      customRuntimeConfig: {command: [gateway, serve, 'app:h']}\n"),
        ("custom", "      customRuntimeConfig: {command: ['/bin/gateway serve app:h']}\n"),
        (
            "custom",
            "      customRuntimeConfig:\n        command: [python3]\n"
            "        args: [-m, gateway, serve, '${env(T, app:h)}']\n",
        ),
        ("custom", "      customRuntimeConfig: {command: [sh, -c, 'exec gateway serve app:h']}\n"),
        (
            "custom-container",
            "      customContainerConfig:\n        image: i\n        entrypoint: [gateway]\n"
            "        command: [serve, 'app:h']\n",
        ),
    ],
)
def test_a_command_that_serves_names_the_handler(runtime: str, written: str, write: Write) -> None:
    config = load(["--project", str(custom(written, write, runtime))], {})
    assert (config.target, config.interface) == ("app:h", "auto")
    assert config.initializer is None
    assert config.pre_stop_timeout == Config().pre_stop_timeout
    assert "instanceLifecycleConfig.initializer.handler (line" in config.notices[0]


def test_commands_of_component_fc_are_texts_of_lists(write: Write) -> None:
    path = write(
        FC,
        (
            "runtime: python3.10",
            "runtime: custom-container\n        caPort: 8080\n"
            "        customContainerConfig:\n"
            """          command: '["gateway"]'\n          args: '["serve", "app:h"]'""",
        ),
    )
    config = load(["--project", str(path)], {})
    assert (config.target, config.port) == ("app:h", 8080)


@pytest.mark.parametrize("config_file", ["gateway.toml", "/code/gateway.toml"])
def test_its_options_count_but_for_where_it_runs(config_file: str, write: Write) -> None:
    (write(FC3).parent / "code" / "gateway.toml").write_text(
        "queue = 7\nthreads = 9\nhandler_timeout = 1\nunix = 'g.sock'\nauth_keys = 'keys.toml'"
    )
    path = custom(
        "      customRuntimeConfig:\n        port: 8000\n        command:\n"
        f"          - gateway serve app:h --config {config_file} --host 0.0.0.0 --port 9000\n"
        "            --profile custom-container --chdir /code --threads 11 --auth function\n",
        write,
    )
    code = path.parent / "code"
    config = load(["--project", str(path), "--handler-timeout", "3"], {})
    assert (config.target, config.queue, config.threads) == ("app:h", 7, 11)
    assert config.handler_timeout == 3.0
    assert (config.host, config.port, config.unix, config.profile) == (
        "127.0.0.1", 8000, None, "plain",
    )  # fmt: skip
    assert (config.chdir, config.auth_keys) == (code, code / "keys.toml")


@pytest.mark.parametrize(
    ("written", "script"),
    [
        ("", "bootstrap"),
        ("      customRuntimeConfig: {command: [/code/bin/run]}\n", "bin/run"),
        ("      customRuntimeConfig: {command: [./run.sh]}\n", "run.sh"),
        ("      customRuntimeConfig: {command: [bash, -c, 'cd /code && ./run.sh']}\n", "run.sh"),
        ("      customRuntimeConfig: {command: [bash], args: [run.sh]}\n", "run.sh"),
    ],
)
@pytest.mark.parametrize(
    "line",
    [
        "exec python3 -m gateway serve app:h --threads 4",
        '  PATH=/x:$PATH gateway serve app:h --threads=4 "$@"  # served',
        "python3 -m gateway \\\n  serve app:h \\\n  --threads 4 > log 2>&1",
        "gateway serve app:h --threads 4 2>log && echo it\\'s done",
        "gateway serve app:h --threads 4; true",
    ],
)
def test_a_script_that_serves_names_the_handler(
    written: str, script: str, line: str, write: Write
) -> None:
    path = custom(written, write)
    file = path.parent / "code" / script
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/bash\n# it's gateway serve no:one\nset -e\n{line}\n")
    config = load(["--project", str(path)], {})
    assert (config.target, config.threads) == ("app:h", 4)


@pytest.mark.parametrize(
    "script",
    [
        b"gunicorn app:h",
        b"gateway serve $TARGET",
        b"gateway serve `cat target`",
        b"gateway serve 'no end",
        b"\x7fELF\xff",
        b"#" * 70_000 + b"\ngateway serve app:h",
    ],
)
def test_a_script_that_does_not_tell_needs_a_target(script: bytes, write: Write) -> None:
    path = custom("", write)
    (path.parent / "code" / "bootstrap").write_bytes(script)
    assert "starts a server of its own" in refused(path)


def test_a_mistake_in_a_script_names_its_line(write: Write) -> None:
    path = custom("", write)
    script = path.parent / "code" / "bootstrap"
    script.write_text("set -e\n\ngateway \\\n  serve --thraeds 3")
    assert refused(path) == f"{script}:3: unknown option --thraeds: did you mean --threads?"


def test_a_script_that_serves_tells_by_its_variables(write: Write) -> None:
    path = write(
        FC3,
        ("runtime: python3.10", "runtime: custom\n      customRuntimeConfig: {command: [./run]}"),
        ("STAGE: dev", "GATEWAY_TARGET: app:h\n        GATEWAY_QUEUE: 3"),
    )
    config = load(["--project", str(path)], {})
    assert (config.target, config.queue) == ("app:h", 3)
    path.write_text(path.read_text().replace("GATEWAY_QUEUE: 3", "GATEWAY_QUEUE: many"))
    assert refused(path) == (
        "s.yaml: environmentVariables: GATEWAY_QUEUE: 'many' is not a whole number; "
        "give one from 0 to 1000000"
    )


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (
            "      customRuntimeConfig: {command: [gateway, serve, --thraeds, '3']}\n",
            "s.yaml:LINE: command: unknown option --thraeds: did you mean --threads?",
        ),
        (
            "      customRuntimeConfig: {command: {a: b}}\n",
            "s.yaml:LINE: command: is a mapping; give a list of words",
        ),
        (
            "      customRuntimeConfig: {command: [[a]]}\n",
            "s.yaml:LINE: command: holds a list; give texts",
        ),
        (
            "      customRuntimeConfig: {command: [gunicorn, serve]}\n",
            "s.yaml:LINE: runtime: custom.debian11 starts a server of its own; name the Python "
            "handler: gateway serve TARGET --project s.yaml",
        ),
    ],
)
def test_a_command_that_cannot_be_used(written: str, line: str, write: Write) -> None:
    path = custom(written, write)
    key = "runtime: " if " runtime: " in line else "command: "
    assert refused(path) == line.replace("LINE", str(line_of(key, path)))


def test_a_command_that_names_no_handler_serves_the_one_of_the_file(write: Write) -> None:
    written = "      customRuntimeConfig: {command: [gateway, serve]}\n"
    path = custom(written, write)
    assert load(["--project", str(path)], {}).target == "index.handler"
    path.write_text(path.read_text().replace("      handler: index.handler\n", ""))
    assert refused(path) == (
        f"s.yaml:{line_of('command', path)}: command: it serves no handler; give handler:, "
        "or gateway serve TARGET --project s.yaml"
    )


# -- Code ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    ["./code", "{src: code, ossBucketName: b, ossObjectName: o}", "PATH/code", "${path('code')}"],
)
def test_the_folder_of_the_code_is_named_from_the_file_on(written: str, write: Write) -> None:
    path = write(FC3)
    path = write(FC3, ("code: code", "code: " + written.replace("PATH", str(path.parent))))
    chdir = load(["--project", str(path)], {}).chdir
    assert chdir is not None
    assert chdir.samefile(path.parent / "code")


def test_code_in_object_storage_is_not_here(write: Write) -> None:
    path = write(FC3, ("code: code", "code: {ossBucketName: b, ossObjectName: o}"))
    assert refused(path) == ("s.yaml:14: code: the code is not here; give its folder, or --chdir")


def test_the_code_of_a_container_may_lie_beside_the_file(write: Write) -> None:
    path = write(
        FC3,
        ("runtime: python3.10", "runtime: custom-container"),
        ("      code: code\n", ""),
    )
    assert load(["a:b", "--project", str(path)], {}).chdir is None


# -- The warning -----------------------------------------------------------------------------------


def test_one_line_names_what_is_unknown_and_what_has_no_effect(write: Write) -> None:
    path = write(
        FC3,
        ("name: shop\n", "name: shop\nactoins: {}\nactions: {}\n.anchors: {}\n"),
        ("      memorySize: 1024\n", "      memroySize: 1024\n      vpcConfig: auto\n"),
        ("        project: shop-logs\n", "        project: shop-logs\n        colour: red\n"),
        (
            "            authType: anonymous\n",
            "            authType: anonymous\n            x: y\n",
        ),
        ("    component: fc3\n", "    component: fc3\n    actions: {}\n    kind: t\n"),
    )
    line = {word: line_of(f"{word}: ", path) for word in ("kind", "memroySize", "colour")}
    assert load(["--project", str(path)], {}).notices == (
        f"{path}: not understood: actoins (line 3; did you mean actions?), "
        f"kind (line {line['kind']}), "
        f"memroySize (line {line['memroySize']}; did you mean memorySize?), "
        f"logConfig.colour (line {line['colour']}), "
        f"triggers.triggerConfig.x (line {line_of(' x: y', path)}); "
        "without effect here: actions (line 4), "
        f"actions (line {line['kind'] - 1}), vpcConfig (line {line['memroySize'] + 1})",
    )


def test_a_long_list_is_cut(write: Write) -> None:
    more = "".join(f"      unknown{n}: x\n" for n in range(40))
    path = write(FC3 + more)
    (notice,) = load(["--project", str(path)], {}).notices
    assert notice.endswith(f"unknown29 (line {line_of('unknown29', path)}), and 10 more")


def test_what_custom_runtimes_are_told_is_nothing_to_python(write: Write) -> None:
    path = write(FC3 + "      customRuntimeConfig: {port: 80, command: [x]}\n")
    config = load(["--project", str(path)], {})
    assert config.port == Config().port
    line = line_of("customRuntimeConfig", path)
    assert config.notices == (f"{path}: without effect here: customRuntimeConfig (line {line})",)


def test_auto_and_nothing_set_nothing(write: Write) -> None:
    start, end = FC3.index("      logConfig:"), FC3.index("      instanceLifecycleConfig:")
    path = write(FC3[:start] + "      logConfig: auto\n      memorySizes:\n" + FC3[end:])
    config = load(["--project", str(path)], {})
    assert config.log_project == ""
    assert (
        load(
            ["--project", str(write(FC3, ("memorySize: 1024", "memorySize:")))], {}
        ).function_memory
        == Config().function_memory
    )


# -- A few lines that stand for much ---------------------------------------------------------------


def doubled(levels: int) -> str:
    """A table that holds itself twice, by aliases, on each of so many levels; and one like it."""
    lines = ["x-a0: &a0 {k: 1}", "x-b0: &b0 {k: 2}"]
    for level in range(1, levels + 1):
        for name in "ab":
            below = f"*{name}{level - 1}"
            lines.append(f"x-{name}{level}: &{name}{level} {{l: {below}, r: {below}}}")
    return "\n".join(lines) + "\n"


def test_what_a_template_shares_is_joined_once(write: Write) -> None:
    levels = 40  # A million of millions of tables, when each is joined where it is met.
    text = doubled(levels) + (
        f"template:\n  base: {{deep: *a{levels}}}\n"
        + FC3.replace(
            "    component: fc3\n    props:\n",
            f"    component: fc3\n    extend: base\n    props:\n      deep: *b{levels}\n",
        )
    )
    assert load(["--project", str(write(text))], {}).function_name == "orders"


def test_what_files_share_is_joined_once(write: Write) -> None:
    path = write("extend: base.yaml\n" + doubled(40) + "x-deep: *b40\n" + FC3)
    (path.parent / "base.yaml").write_text(doubled(40) + "x-deep: *a40\n")
    assert load(["--project", str(path)], {}).function_name == "orders"


def test_what_is_joined_is_bounded(write: Write) -> None:
    entries = "".join(f"    k{number}: {{}}\n" for number in range(6000))
    modules = "".join(
        f"  m{number}: {{component: fc3, extend: base, props: {{k1: {{a: {number}}}}}}}\n"
        for number in range(100)
    )
    path = write(f"template:\n  base:\n{entries}{FC3}{modules}")
    assert refused(path, "--function", "orders").endswith(
        "extend: makes more than 50000 entries in all, or a deeper nesting than any project has; "
        "write less by aliases"
    )


def test_a_chain_of_aliases_is_no_endless_recursion(write: Write) -> None:
    text = ""
    for name in "ab":
        text += f"x-{name}0: &{name}0 {{k: 1}}\n"
        for level in range(1, 1000):
            text += f"x-{name}{level}: &{name}{level} {{l: *{name}{level - 1}}}\n"
    text += "template:\n  base: {deep: *a999}\n" + FC3.replace(
        "    component: fc3\n    props:\n",
        "    component: fc3\n    extend: base\n    props:\n      deep: *b999\n",
    )
    assert "deeper nesting than any project" in refused(write(text))


def test_all_texts_of_expressions_are_bounded(write: Write) -> None:
    """Each of them is short enough; it is their number that makes them long."""
    long = "x" * 60_000
    variables = "".join(f"        V{number}: ${{vars.long}}y\n" for number in range(200))
    path = write(
        FC3,
        ("vars:\n", f"vars:\n  long: {long}\n"),
        ("        STAGE: dev\n", f"        STAGE: dev\n{variables}"),
    )
    assert refused(path) == (
        f"s.yaml:{line_of('V34:', path)}: V34: the expressions of the file make too much text; "
        "write less"
    )
