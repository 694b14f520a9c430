"""Makes the virtual environment that `make` works with, and makes it again where it is broken.

`python3 tools/environment.py FOLDER GROUP…` leaves in FOLDER an environment with the gateway,
editable, and with these dependency groups of pyproject.toml.  It does nothing where that is so
already.  With `--exactly` the environment must be of the Python that runs this.

Half-made environments are common: Debian's Python has no `ensurepip` before a package is
installed, an installation is interrupted, an interpreter is upgraded, a folder is moved.

It is written for any Python 3, so that it can say which one is needed.
"""
# ruff: noqa: UP032

import hashlib
import os
import shutil
import subprocess
import sys

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

STAMP = ".installed"
"""A file in the environment that says what it has.  It is written last."""

PARTS = {"bin", "include", "lib", "lib64", "pyvenv.cfg", ".gitignore"}
"""What `venv` makes, one after the other."""

PROBE = """
import importlib.util, sys
print(sys.version_info[0], sys.version_info[1], importlib.util.find_spec("pip") is not None)
"""


class CannotMakeError(Exception):
    """There is no environment; the message says why and how to mend it, in a line."""


def main(arguments):
    """Leave an environment; the exit status."""
    exactly = "--exactly" in arguments
    folder, *groups = [word for word in arguments if word != "--exactly"]
    try:
        prepare(os.path.abspath(folder), groups, exactly)
    except CannotMakeError as error:
        tell("error: {}".format(error))
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def prepare(folder, groups, exactly):
    """Make or complete the environment in `folder`; raises CannotMakeError."""
    if sys.version_info < OLDEST:
        raise CannotMakeError(
            "Python 3.11 or newer is needed, and {} is {}.{}; name another one: "
            "make PYTHON=python3.12 run".format(sys.executable, *sys.version_info[:2])
        )
    has = []
    fault = fault_of(folder, exactly)
    if fault:
        create(folder, fault)
    else:
        digest_then, *has = read(os.path.join(folder, STAMP)).split() or [""]
        if digest_then == digest() and set(groups) <= set(has):
            return
    # What is there stays: `make run` after `make test` must not make the next tests wait.
    groups = sorted({*groups, *has})
    install(folder, groups)
    with open(os.path.join(folder, STAMP), "w", encoding="utf-8") as file:
        file.write(" ".join([digest(), *groups]))


def fault_of(folder, exactly):
    """Why `folder` has no environment that can be completed; "" where it has."""
    if not os.path.lexists(folder):
        return "is not there"
    made_at = where_made(folder)
    if made_at and os.path.realpath(made_at) != os.path.realpath(folder):
        return "was made in another folder"
    try:
        done = subprocess.run(
            [interpreter(folder), "-c", PROBE], stdout=subprocess.PIPE, check=True, cwd=folder
        )
        major, minor, has_pip = done.stdout.decode().split()
    except (OSError, subprocess.CalledProcessError, ValueError):
        return "has no Python that runs"
    version = int(major), int(minor)
    if has_pip != "True":
        return "has no pip"
    if version < OLDEST or (exactly and version != sys.version_info[:2]):
        return "is of Python {}.{}".format(*version)
    return ""


def where_made(folder):
    """The folder that `venv` made it in, by its own note; "" where there is none."""
    for line in read(os.path.join(folder, "pyvenv.cfg")).splitlines():
        if line.startswith("command = "):
            words = line.partition(" -m venv ")[2]
            return words if os.path.isabs(words) else ""
    return ""


def create(folder, fault):
    """Make an empty environment, in the place of one that has a fault."""
    shown = os.path.relpath(folder)
    if os.path.lexists(folder):
        if os.path.islink(folder):
            os.unlink(folder)
        elif not os.path.isdir(folder) or not (
            os.path.exists(os.path.join(folder, "pyvenv.cfg")) or set(os.listdir(folder)) <= PARTS
        ):
            raise CannotMakeError(
                "{} {}, and is no virtual environment; remove it, or name another folder: "
                "make VENV=.venv".format(shown, fault)
            )
        else:
            tell("{} {}: it is made again".format(shown, fault))
            shutil.rmtree(folder)
    tell("making a virtual environment in {}".format(shown))
    # When this runs in the environment that is made again, by the Python that it was made of.
    python = getattr(sys, "_base_executable", None) or sys.executable
    done = subprocess.run(
        [python, "-m", "venv", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        cwd=ROOT,
    )
    if done.returncode == 0:
        return
    shutil.rmtree(folder, ignore_errors=True)
    said = done.stdout.decode(errors="replace")
    if "ensurepip" in said:
        raise CannotMakeError(
            "{} cannot make virtual environments: it has no ensurepip; on Debian and Ubuntu "
            "install python3-venv, then give the same command again".format(python)
        )
    raise CannotMakeError(
        "{} -m venv {} failed: {}".format(
            python, shown, (said.strip().splitlines() or ["it does not say why"])[-1]
        )
    )


def install(folder, groups):
    """Install the gateway and the groups; raises CannotMakeError."""
    what = " and what its tests need" if groups else ""
    tell("installing the gateway{}: once, and it takes a while".format(what))
    if groups:  # The first one that knows groups.
        run_pip(folder, ["--upgrade", "pip>=25.1"])
    named = [word for group in groups for word in ("--group", group)]
    run_pip(folder, ["--editable", ROOT, *named])


def run_pip(folder, arguments):
    """Have pip install; raises CannotMakeError."""
    # Not bin/pip: it names an interpreter by its path, and is missing where pip is half-installed.
    command = [interpreter(folder), "-m", "pip", "install", "--quiet"]
    done = subprocess.run(
        [*command, "--disable-pip-version-check", *arguments],
        check=False,
        cwd=ROOT,
        env=dict(os.environ, PIP_USER="0"),
    )
    if done.returncode:
        raise CannotMakeError(
            "pip could not install what is needed, see above; give the same command again "
            "once that is mended"
        )


def digest():
    """Of what says which packages are needed."""
    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def interpreter(folder):
    """The Python of an environment."""
    return os.path.join(folder, "bin", "python")


def read(path):
    """The text of a file; "" where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


def tell(text):
    """Say a line to whoever waits for it."""
    print("make: " + text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
