"""`--project` and `gateway init`, as users run them: files in a folder, and the real command."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from functional.serving import Gateway, run_command
from unit.triggers.issuer import public_jwk, token

CODE = """
import json, os, sys, threading, time

AT_IMPORT = {name: os.environ.get(name) for name in ("STAGE", "GATEWAY_PORT", "HOME")}
SEEN = threading.Barrier(3)

def handler(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/together":
        SEEN.wait(10)
    if path == "/slow":
        time.sleep(3)
    start_response("200 OK", [("Content-Type", "application/json")])
    context = environ["fc.context"]
    told = json.loads(context.to_json())
    told.pop("credentials")
    import library
    answer = {"context": told, "import": AT_IMPORT, "hour": time.localtime(0).tm_hour,
              "library": library.WHERE}
    return [json.dumps(answer).encode()]
"""

PROJECT = """\
edition: 1.0.0
name: shop
access: default
vars:
  region: cn-hangzhou
services:
  orders:
    component: fc
    props:
      region: ${vars.region}
      service:
        name: shop
        role: acs:ram::1:role/x
        logConfig: {project: logs, logstore: requests}
      function: &function
        name: orders
        runtime: python3.10
        handler: index.handler
        codeUri: ./code
        timeout: 1
        memorySize: 768
        instanceConcurrency: 3
        memroySize: 1
        environmentVariables:
          STAGE: ${env('STAGE', 'from the file')}-1
          HOME: /own
          TZ: Asia/Shanghai
          PYTHONPATH: /code/vendored
          GATEWAY_PORT: 12345
      triggers:
        - name: http
          type: http
          config: {authType: anonymous, methods: [GET, POST]}
  refunds:
    component: fc
    props:
      region: ${vars.region}
      service: {name: shop}
      function: {<<: *function, name: refunds}
"""

FC3 = """\
edition: 3.0.0
resources:
  orders:
    component: fc3
    props:
      functionName: orders
      runtime: custom.debian10
      code: code
      timeout: 20
      instanceConcurrency: 2
      environmentVariables: {STAGE: cloud}
      customRuntimeConfig: {command: [/code/bootstrap], port: 0}
      vpcConfig: auto
"""


def lay_out(folder: Path, project: str) -> Path:
    (folder / "code/vendored").mkdir(parents=True)
    (folder / "code/index.py").write_text(CODE)
    (folder / "code/vendored/library.py").write_text("WHERE = 'vendored'")
    (folder / "s.yaml").write_text(project)
    return folder


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = lay_out(tmp_path_factory.mktemp("fc"), PROJECT)
    words = ("--project=s.yaml", "--function", "orders")
    with Gateway(folder, *words, chdir=None, environ={"STAGE": "shell"}) as gateway:
        yield gateway


def answer_of(gateway: Gateway, path: str = "/") -> dict[str, object]:
    with gateway.connect() as client:
        answer = client.ask(path)
    assert answer.status == 200, answer
    told: dict[str, object] = json.loads(answer.body)
    return told


def test_the_handler_sees_what_the_file_says(orders: Gateway) -> None:
    told = answer_of(orders)
    context = told["context"]
    assert isinstance(context, dict)
    assert context["region"] == "cn-hangzhou"
    assert context["function"] == {
        "name": "orders", "handler": "index.handler", "memory": 768, "timeout": 1,
    }  # fmt: skip
    assert context["service"]["name"] == "shop"
    assert context["service"]["logProject"] == "logs"
    assert context["service"]["logStore"] == "requests"


def test_its_variables_are_there_before_its_code_is_imported(orders: Gateway) -> None:
    told = answer_of(orders)
    assert told["import"] == {"STAGE": "shell-1", "GATEWAY_PORT": "12345", "HOME": "/own"}
    assert told["hour"] == 8
    assert told["library"] == "vendored"


def test_its_concurrency_is_that_of_the_file(orders: Gateway) -> None:
    with ThreadPoolExecutor(3) as pool:
        assert len(list(pool.map(lambda _: answer_of(orders, "/together"), range(3)))) == 3


def test_its_timeout_is_that_of_the_file(orders: Gateway) -> None:
    started = time.monotonic()
    with orders.connect() as client:
        answer = client.ask("/slow")
    assert answer.status == 502
    assert b"time out after 1 seconds" in answer.body
    assert time.monotonic() - started < 10


def test_one_warning_names_what_has_no_effect(orders: Gateway) -> None:
    assert orders.errors.count("warning") == 1
    assert orders.errors.startswith(
        "gateway: warning: s.yaml: not understood: function.memroySize (line 23; did you mean "
        "memorySize?); without effect here: service.role (line 13)\n"
    )


def test_a_python_runtime_of_3_0_takes_events(tmp_path: Path) -> None:
    folder = lay_out(
        tmp_path, FC3.replace("custom.debian10", "python3.10\n      handler: events.h")
    )
    (folder / "code/events.py").write_text(
        "import json\n"
        "def h(event, context):\n"
        "    path = json.loads(event)['rawPath']\n"
        "    return {'statusCode': 207, 'body': f'{context.function.name} {path}'}\n"
    )
    with Gateway(folder, "--project=s.yaml", chdir=None) as gateway, gateway.connect() as client:
        answer = client.ask("/orders")
    assert (answer.status, answer.body) == (207, b"orders /orders")


def test_the_trigger_says_who_may_call(tmp_path: Path) -> None:
    folder = lay_out(tmp_path, FC3.replace("port: 0", "port: 9000"))
    trigger = {
        "triggerName": "http",
        "triggerType": "http",
        "triggerConfig": {
            "authType": "jwt",
            "methods": ["GET"],
            "authConfig": {"jwks": {"keys": [public_jwk("P-256", kid="one")]}},
        },
    }
    with (folder / "s.yaml").open("a") as file:
        file.write(f"      triggers: {json.dumps([trigger])}\n")
    (folder / "code/plain.py").write_text(
        "def h(environ, start_response):\n    start_response('200 OK', [])\n    return [b'in']\n"
    )
    with (
        Gateway(folder, "plain:h", "--project=s.yaml", chdir=None) as gateway,
        gateway.connect() as client,
    ):
        text = token({"exp": time.time() + 60}, kid="one")
        allowed = [("Authorization", f"Bearer {text}")]
        assert client.ask("/", fields=allowed).status == 200
        with gateway.connect() as other:
            assert other.ask("/").status in (400, 401, 403)
        with gateway.connect() as other:
            assert other.ask("/", method="DELETE", fields=allowed).status == 403


def test_check_reads_the_project_too(tmp_path: Path) -> None:
    folder = lay_out(tmp_path, PROJECT)
    done = run_command("check", "--project", "s.yaml", "--function", "orders", folder=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("index.handler: ")
    assert "3 threads" in done.stdout


def test_a_custom_runtime_needs_a_target_and_keeps_the_rest(tmp_path: Path) -> None:
    folder = lay_out(tmp_path, FC3.replace("port: 0", "port: 9000"))
    refused = run_command("serve", "--project", "s.yaml", folder=folder)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "gateway: error: s.yaml:7: runtime: custom.debian10 starts a server of its own; name the "
        "Python handler: gateway serve TARGET --project s.yaml\n"
    )
    words = ("index:handler", "--project", "s.yaml")
    done = run_command("check", *words, folder=folder)
    assert "2 threads" in done.stdout
    assert done.stderr == ("gateway: warning: s.yaml: without effect here: vpcConfig (line 13)\n")


@pytest.mark.parametrize(
    ("project", "arguments", "line"),
    [
        (
            PROJECT,
            (),
            "s.yaml: has several functions; choose one with --function: orders, refunds",
        ),
        (
            PROJECT,
            ("--function", "order"),
            "--function: s.yaml has no function 'order'; did you mean orders? "
            "it has orders, refunds",
        ),
        (
            PROJECT.replace("timeout: 1", "timeout: soon"),
            ("--function", "orders"),
            "s.yaml:20: timeout: 'soon' is not a whole number; give one such as 60",
        ),
        (
            PROJECT.replace("codeUri: ./code", "codeUri: ./cod"),
            ("--function", "orders"),
            "s.yaml:19: codeUri: there is no './cod'; name the folder of the code, "
            "from this file on, or give --chdir",
        ),
        (
            PROJECT.replace("name: shop\naccess", "\tname: shop\naccess"),
            (),
            "s.yaml:2: not YAML: found character '\\t' that cannot start any token; "
            "indent with spaces, not with tabs",
        ),
        # What is found only when the code is loaded, or the keys are read:
        (
            PROJECT.replace("handler: index.handler", "handler: index.handle"),
            ("--function", "orders", "--workers=0"),
            "s.yaml:18: handler: Handler 'handle' is missing on module 'index': index.py has no "
            "'handle'; did you mean 'handler'? [HandlerNotFound]",
        ),
        (
            PROJECT.replace("timeout: 1", "initializer: index.begin"),
            ("--function", "orders", "--workers=0"),
            "s.yaml:20: initializer: Handler 'begin' is missing on module 'index': "
            "index.py has handler [HandlerNotFound]",
        ),
        (
            PROJECT.replace("authType: anonymous", "authType: function"),
            ("--function", "orders", "--workers=0"),
            "s.yaml:33: authType: function needs keys; name their file with --auth-keys, or set "
            "FC_ACCESS_KEYS to id:secret",
        ),
        (
            PROJECT.replace("authType: anonymous, ", ""),
            ("--function", "orders", "--workers=0"),
            "s.yaml:31: authType, which is missing (anonymous would let everybody call): function "
            "needs keys; name their file with --auth-keys, or set FC_ACCESS_KEYS to id:secret",
        ),
        (
            PROJECT.replace("authType: anonymous", "authType: jwt, authConfig: {jwks: {keys: []}}"),
            ("--function", "orders", "--workers=0"),
            "s.yaml:33: jwks: the key set has no key that can be used; mend it",
        ),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    project: str, arguments: tuple[str, ...], line: str, tmp_path: Path
) -> None:
    folder = lay_out(tmp_path, project)
    ended = run_command("serve", "--project", "s.yaml", "--port=0", *arguments, folder=folder)
    said = [each for each in ended.stderr.splitlines() if "gateway: warning: " not in each]
    assert (said, ended.stdout) == ([f"gateway: error: {line}"], "")
    assert ended.returncode == 2


def test_a_new_project_serves_at_once(tmp_path: Path) -> None:
    done = run_command("init", "hello-shop", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Made index.py, gateway.toml, s.yaml, ")
    again = run_command("init", "hello-shop", folder=tmp_path)
    assert again.returncode == 2
    assert again.stderr.startswith("gateway: error: hello-shop has index.py, gateway.toml, ")
    folder = tmp_path / "hello-shop"
    for word in ("--project=s.yaml", "--config=gateway.toml"):
        with Gateway(folder, word, chdir=None) as gateway:
            with gateway.connect() as client:
                answer = client.ask()
            assert (answer.status, answer.body[:22]) == (200, b"Hello from hello-shop,")
            assert "warning" not in gateway.errors


def test_help_of_init_is_its_own(tmp_path: Path) -> None:
    done = run_command("init", "--help", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: gateway init [FOLDER]\n")
    assert "gateway init" in run_command("--help", folder=tmp_path).stdout


def test_only_a_project_loads_the_library_for_it(tmp_path: Path) -> None:
    environ = {"PYTHONPROFILEIMPORTTIME": "1"}
    done = run_command("check", "--port", "0", folder=tmp_path, environ=environ)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "gateway.config" in imported
    assert not {name for name in imported if name.startswith(("yaml", "gateway.project"))}
