"""What `${…}` stands for, and the line for each expression that stands for nothing."""

from pathlib import Path

import pytest
from unit.project.plain_values import plain

from gateway.project import document
from gateway.project.nodes import ProjectError
from gateway.project.variables import Variables

DOCUMENT = """
name: shop
access: team
vars:
  region: cn-hangzhou
  stage: ${env(STAGE, dev)}
  count: 60
  service:
    name: shop-${vars.stage}
    tags: [a, b]
resources:
  api:
    component: fc3
    props:
      functionName: api-${this.name}
      code: ./code
  web-site:
    access: own
    props:
      url: ${resources.api.props.functionName}
key: VALUE
"""
ENVIRON = {"SET": "from outside", "EMPTY": "", "with-dash": "d", "NAME": "SET"}


def resolve(written: str, folder: Path = Path("folder"), module: str = "api") -> object:
    root = document.parse(DOCUMENT.replace("VALUE", written), "s.yaml")
    variables = Variables(root, ENVIRON, folder)
    return plain(variables.value(root.entries["key"], "key", module))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("plain", "plain"),
        ("$HOME {x} $", "$HOME {x} $"),
        ("${env(SET)}", "from outside"),
        ("${env('SET')}", "from outside"),
        ('${env("SET")}', "from outside"),
        ("${ env( 'SET' ) }", "from outside"),
        ("${env.SET}", "from outside"),
        ("${env(EMPTY, other)}", ""),
        ("${env(with-dash)}", "d"),
        ("${env(UNSET, cn-hangzhou)}", "cn-hangzhou"),
        ("${env('UNSET', 'a, b) } c')}", "a, b) } c"),
        ("${env(UNSET, it's)}", "it's"),
        ("${env('UNSET', '')}", ""),
        ("${env('UNSET', vars.region)}", "cn-hangzhou"),
        ("${env('UNSET', env('SET'))}", "from outside"),
        ("${env('UNSET', '${vars.region}')}", "cn-hangzhou"),
        ("${env('UNSET', 'vars.region')}", "vars.region"),
        ("${env(vars, x)}", "x"),
        ("${env(env(NAME))}", "from outside"),
        ("${vars.region}", "cn-hangzhou"),
        ("${vars.stage}", "dev"),
        ("${vars.service.name}", "shop-dev"),
        ("${vars.service}", {"name": "shop-${vars.stage}", "tags": ["a", "b"]}),
        ("${vars.service.tags[1]}", "b"),
        ("${vars.service.tags.0}", "a"),
        ("a-${vars.region}/${vars.count}-z", "a-cn-hangzhou/60-z"),
        ("${this.name}", "api"),
        ("${this.access}", "team"),
        ("${this.component}", "fc3"),
        ("${this.props.code}", "./code"),
        ("${this.props.functionName}", "api-api"),
        ("${resources.api.props.code}", "./code"),
        ("${services.api.props.code}", "./code"),
        ("${api.props.code}", "./code"),
        ("${resources.web-site.props.url}", "api-api"),
        ("${resources.web-site.access}", "own"),
        ("""${json('{"a": [1, true, null, "x"]}')}""", {"a": ["1", "true", "null", "x"]}),
    ],
)
def test_an_expression_stands_for(written: str, value: object) -> None:
    quoted = written.replace("'", "''")
    assert resolve(f"'{quoted}'") == value


def test_all_variables_may_be_those_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "vars.json").write_text('{"region": "cn-beijing", "service": {"name": "shop"}}')

    def resolve_with(variables: str) -> object:
        root = document.parse(f"vars: {variables}\nkey: ${{vars.service.name}}", "s.yaml")
        return plain(Variables(root, {}, tmp_path).value(root.entries["key"], "key", "api"))

    assert resolve_with("${json(file('vars.json'))}") == "shop"
    with pytest.raises(ProjectError, match=r"^s.yaml:2: key: .* there is no such file$"):
        resolve_with("${json(file('other.json'))}")
    with pytest.raises(ProjectError, match="refers to itself"):
        resolve_with("${vars.service}")


def test_files_are_read_from_the_folder_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "greeting.txt").write_text("hello")
    (tmp_path / "values.json").write_text('{"a": {"b": 7}}')
    assert resolve("${file('./greeting.txt')}", tmp_path) == "hello"
    assert resolve("${json(file('values.json'))}", tmp_path) == {"a": {"b": "7"}}
    (tmp_path / "vars.yaml").write_text("a: 1")
    assert resolve("${file(vars.yaml)}", tmp_path) == "a: 1"
    assert resolve("${path('./code')}", tmp_path) == str(tmp_path.resolve() / "code")


NOT_UNDERSTOOD = "is not understood here; use env, vars, this, resources, file, json or path"
IN_THE_CLOUD = (
    "is known to Serverless Devs only, or once it is deployed; use ${env('NAME')} and set the "
    "variable"
)


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (
            "${env(UNSET)}",
            "${env(UNSET)}: there is no environment variable UNSET; set it, or give a default as "
            "${env('UNSET', 'text')}",
        ),
        (
            "${env.UNSET}",
            "${env.UNSET}: there is no environment variable UNSET; set it, or give a default as "
            "${env('UNSET', 'text')}",
        ),
        ("${vars.regoin}", "${vars.regoin}: there is no regoin; did you mean region?"),
        (
            "${vars.zzz}",
            "${vars.zzz}: there is no zzz; define it, or remove the expression",
        ),
        (
            "${vars.region.more}",
            "${vars.region.more}: there is no more; define it, or remove the expression",
        ),
        (
            "${vars.service.tags[2]}",
            "${vars.service.tags[2]}: there is no 2; define it, or remove the expression",
        ),
        ("${resources.absent.props.x}", "${resources.absent.props.x}: there is no absent"),
        ("x${vars.service}", "${vars.service} is no text and stands within one"),
        ("${resources.api.output.url}", f"${{resources.api.output.url}} {IN_THE_CLOUD}"),
        ("${this.output.url}", f"${{this.output.url}} {IN_THE_CLOUD}"),
        ("${config(AccountID)}", f"${{config(AccountID)}} {IN_THE_CLOUD}"),
        ("${environment.outputs.vpcId}", f"${{environment.outputs.vpcId}} {IN_THE_CLOUD}"),
        ("${HOME}", f"${{HOME}} {NOT_UNDERSTOOD}"),
        ("${}", f"${{}} {NOT_UNDERSTOOD}"),
        ("${env()}", f"${{env()}} {NOT_UNDERSTOOD}"),
        ("${env(A, b, c)}", f"${{env(A, b, c)}} {NOT_UNDERSTOOD}"),
        ("${vars.region + 1}", f"${{vars.region + 1}} {NOT_UNDERSTOOD}"),
        ("${env(SET) || x}", f"${{env(SET) || x}} {NOT_UNDERSTOOD}"),
        ("${system(id)}", f"${{system(id)}} {NOT_UNDERSTOOD}"),
        ("${env(SET)", "${env(SET) has no end; close it with a brace"),
        ("${json(no)}", "${json(no)} is not JSON; mend the text"),
        ("${file(absent.txt)}", "${file(absent.txt)}: there is no such file"),
        ("${file(.)}", "${file(.)}: there is no such file"),
    ],
)
def test_an_expression_that_stands_for_nothing_is_one_line(written: str, line: str) -> None:
    with pytest.raises(ProjectError) as refused:
        resolve(f"'{written}'")
    assert str(refused.value) == f"s.yaml:21: key: {line}"


@pytest.mark.parametrize(
    "vars_",
    [
        "{a: '${vars.a}'}",
        "{a: '${vars.b}', b: 'x${vars.c}', c: '${vars.a}'}",
        "{a: '${vars.b.c}', b: {c: '${vars.a}'}}",
        "{a: '${env(UNSET, vars.a)}'}",
        """{a: "${env(UNSET, '${vars.a}')}"}""",
    ],
)
def test_a_circle_is_told(vars_: str) -> None:
    root = document.parse(f"vars: {vars_}\nkey: ${{vars.a}}", "s.yaml")
    with pytest.raises(ProjectError, match=r"refers to itself; break the circle"):
        Variables(root, {}, Path()).value(root.entries["key"], "key", "api")


def test_doubling_has_an_end() -> None:
    lines = [f"  v{n}: ${{vars.v{n - 1}}}${{vars.v{n - 1}}}" for n in range(1, 40)]
    root = document.parse("vars:\n  v0: x\n" + "\n".join(lines) + "\nkey: ${vars.v39}", "s.yaml")
    with pytest.raises(ProjectError, match=r"refers to too much|text without end"):
        Variables(root, {}, Path()).value(root.entries["key"], "key", "api")


@pytest.mark.parametrize(("length", "passes"), [(64 * 1024, True), (64 * 1024 + 1, False)])
def test_a_text_with_expressions_and_a_file_are_bounded(
    length: int, passes: bool, tmp_path: Path
) -> None:
    (tmp_path / "long.txt").write_text("x" * length)
    root = document.parse("text: a${env(LONG)}\nfile: ${file(long.txt)}", "s.yaml")
    variables = Variables(root, {"LONG": "x" * (length - 1)}, tmp_path)
    for name in ("text", "file"):
        if passes:
            assert len(plain(variables.value(root.entries[name], name, ""))) == length
        else:
            with pytest.raises(ProjectError):
                variables.value(root.entries[name], name, "")


def test_a_file_is_utf_8(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"\xff")
    with pytest.raises(ProjectError, match="is not UTF-8 text"):
        resolve("${file(x.txt)}", tmp_path)


def test_what_nobody_asks_for_may_be_wrong() -> None:
    root = document.parse("bad: ${vars.absent}\nkey: fine", "s.yaml")
    value = Variables(root, {}, Path()).value(root.entries["key"], "key", "")
    assert plain(value) == "fine"
