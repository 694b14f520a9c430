"""CONTRIBUTING's promise: tests stand in the mirror image of the package.

`gateway/wsgi/pool.py` is tested by `tests/unit/wsgi/test_pool.py`.  A module without such a file is
listed here with the test that covers it, and why that is the better place.
"""

from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CONSTANTS = "constants and types alone"
PART = "a part of one other module, and tested through it"
PROCESS = "acts on a whole process: its signals, children, standard streams or end"
WIRING = "composes others from the settings: only the running gateway shows whether it fits"

ELSEWHERE: dict[str, tuple[str, str]] = {
    "__main__": (WIRING, "functional/test_lifecycle"),
    "asgi/scope": (PART, "unit/asgi/test_adapter"),
    "asgi/version": (CONSTANTS, "unit/asgi/test_adapter"),
    "code/green_threads": (PROCESS, "functional/test_monkey_patching"),
    "code/load_errors": (PART, "unit/code/test_loading"),
    "code/same_named_package": (PART, "functional/test_namesakes"),
    "config/definition": (PART, "unit/config/test_options"),
    "config/development": (CONSTANTS, "functional/test_development"),
    "config/rereading": (PROCESS, "functional/test_signals"),
    "config/targets": (PART, "unit/config/test_load"),
    "config/usage": (PART, "unit/config/test_page"),
    "container/control": (WIRING, "functional/test_custom_container"),
    "container/exchange": (PART, "functional/test_custom_container"),
    "error_log/loggers": (PROCESS, "functional/test_standard_streams"),
    "error_log/nonblocking_file": (PART, "unit/error_log/test_writer"),
    "events/errors": (PART, "unit/events/test_handler"),
    "fc/errors": (CONSTANTS, "unit/http/answers/test_error_style"),
    "fc/names": (CONSTANTS, "unit/code/test_declared_environ"),
    "hooks/middleware": (PART, "unit/hooks/test_lazy_initialization"),
    "http/answers/problem_details": (PART, "unit/http/answers/test_error_style"),
    "http/connection/body_receiver": (PART, "unit/http/connection/test_connection"),
    "http/connection/detached": (PART, "unit/http/connection/test_exchange"),
    "http/connection/endpoints": (PART, "unit/http/connection/test_connection"),
    "http/connection/lingering": (PART, "unit/http/connection/test_connection"),
    "http/message/grammar": (CONSTANTS, "unit/http/test_conformance"),
    "http/message/head": (PART, "unit/http/message/test_parser"),
    "http/message/origin": (CONSTANTS, "unit/proxies/test_forwarded"),
    "http/message/parser_words": (PART, "unit/http/test_conformance"),
    "limits": (CONSTANTS, "unit/config/test_options"),
    "logs/invocation_log": (PART, "unit/logs/test_function_log"),
    "logs/line_store": (PROCESS, "functional/test_workers"),
    "logs/output_streams": (PART, "unit/logs/test_function_log"),
    "logs/peak_memory": (PART, "unit/logs/test_function_log"),
    "logs/records": (PART, "unit/logs/test_function_log"),
    "logs/standard_streams": (PROCESS, "functional/test_standard_streams"),
    "processes/forking": (PROCESS, "functional/test_workers"),
    "processes/line_lender": (CONSTANTS, "functional/test_workers"),
    "processes/orphan": (PROCESS, "functional/test_orphans"),
    "processes/supervisor": (PROCESS, "functional/test_workers"),
    "project/commands": (WIRING, "functional/test_project_files"),
    "project/functions": (PART, "unit/project/test_document"),
    "project/keys": (CONSTANTS, "unit/test_project_files_page"),
    "project/mapping": (PART, "unit/project/test_document"),
    "project/nodes": (PART, "unit/project/test_document"),
    "project/notice": (WIRING, "functional/test_project_files"),
    "project/starter/index": ("an example for users", "functional/test_printed_commands"),
    "project/starter_files": (CONSTANTS, "unit/project/test_new_project"),
    "project/triggers": (PART, "unit/project/test_document"),
    "project/yaml_reading": (PART, "unit/project/test_document"),
    "signals/alternate_stack": (PROCESS, "functional/test_signals"),
    "signals/unused": (PROCESS, "unit/test_signals"),
    "signatures": (PART, "unit/code/test_interface"),
    "text/terminal": (PROCESS, "unit/test_cli"),
    "threads/thread_stack": (PART, "unit/wsgi/test_pool"),
    "threads/timers": (PART, "unit/http/connection/test_deadlines"),
    "threads/user_thread": (PART, "unit/wsgi/test_pool"),
    "triggers/verification": (PART, "unit/triggers/test_key_set"),
    "version": (CONSTANTS, "unit/test_release"),
    "worker/access": (WIRING, "functional/test_trusted_proxies"),
    "worker/announcement": (WIRING, "functional/test_lifecycle"),
    "worker/app": (WIRING, "functional/test_lifecycle"),
    "worker/applications": (WIRING, "functional/test_lifecycle"),
    "worker/connection_state": (WIRING, "functional/test_limits"),
    "worker/exit_watchdog": (PROCESS, "functional/test_misbehaving_handlers"),
    "worker/function": (WIRING, "functional/test_handlers"),
    "worker/instance": (WIRING, "functional/test_life_cycle_hooks"),
    "worker/interfaces": (WIRING, "functional/test_handlers"),
    "worker/liveness": (PART, "unit/worker/test_server"),
    "worker/load": (WIRING, "functional/test_one_at_a_time"),
    "worker/logs": (WIRING, "functional/test_function_log"),
    "worker/responses": (WIRING, "functional/test_error_styles"),
    "wsgi/asgi_request": (PART, "unit/wsgi/test_asgi_exchange"),
    "wsgi/bridge": (PART, "unit/wsgi/test_asgi_exchange"),
    "wsgi/deferred_response": (PART, "unit/wsgi/test_logged_invocation"),
    "wsgi/exact_environ": (WIRING, "functional/test_exact_environ"),
    "wsgi/exchange_environ": (PART, "unit/wsgi/test_runner"),
    "wsgi/hook_job": (PART, "unit/threads/test_main_thread"),
    "wsgi/misfit": (PART, "unit/wsgi/test_invocation"),
    "wsgi/pool_refusals": (PART, "unit/wsgi/test_pool"),
    "wsgi/pool_thread": (PART, "unit/wsgi/test_pool"),
    "wsgi/responder": (CONSTANTS, "unit/wsgi/test_invocation"),
}
"""Why, and which test covers it, by module."""


def without_mirror(modules: Iterable[Path], tests: Path) -> set[str]:
    """The modules, as paths below the package, for which there is no test file of their name."""
    return {
        str(module.with_suffix(""))
        for module in modules
        if not (tests / module.parent / f"test_{module.name}").is_file()
    }


def modules() -> list[Path]:
    """Those of the package that have something in them."""
    package = ROOT / "gateway"
    found = [path for path in package.rglob("*.py") if path.name != "__init__.py"]
    return [path.relative_to(package) for path in found]


def test_every_module_has_its_tests() -> None:
    found = without_mirror(modules(), ROOT / "tests" / "unit")
    assert found - ELSEWHERE.keys() == set(), "write tests/unit/FOLDER/test_MODULE.py"
    assert ELSEWHERE.keys() - found == set(), "these have one, or are gone: take them off the list"


@pytest.mark.parametrize("module", ELSEWHERE)
def test_what_covers_a_module_is_there(module: str) -> None:
    assert (ROOT / "tests" / f"{ELSEWHERE[module][1]}.py").is_file()


def test_a_module_without_tests_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "test_tested.py").touch()
    asked = [Path("room/tested.py"), Path("room/untested.py"), Path("tested.py")]
    assert without_mirror(asked, tmp_path) == {"room/untested", "tested"}
