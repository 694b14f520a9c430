"""One target under libFuzzer: `python -m fuzz.guided NAME OPTION…`, a process of its own.

The modules are instrumented while they are imported, so nothing may have imported them before.
"""

import sys

import atheris

with atheris.instrument_imports(include=["gateway.http", "gateway.wsgi"]):
    from fuzz.targets import INSTRUMENTED, TARGETS

assert INSTRUMENTED == ("gateway.http", "gateway.wsgi")


def main() -> None:
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
