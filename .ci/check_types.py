"""Check types: of the package, and of two scripts of a user, with mypy and with pyright.

Usage, at the root of the repository, with skbadr, mypy and pyright installed:
python .ci/check_types.py

tests/typing/right.py must be clean. In tests/typing/wrong.py each line that ends in "# wrong" must
be reported, and no other.
"""

import json
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path("tests/typing")
# scikit-learn, pandas, fairlearn, SciPy and joblib have no types: a user's script says so, too.
STRICT = ["--strict", "--disable-error-code", "import-untyped", "--config-file="]


def run(module, *arguments, cwd="."):
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def package_is_clean(module, *arguments):
    """Whether a checker, set up by pyproject.toml, finds nothing in the package."""
    done = run(module, *arguments)
    if done.returncode:
        print(done.stdout, done.stderr, sep="")
    print(f"{module}: the package is {'not ' * bool(done.returncode)}clean")
    return done.returncode == 0


def mypy_errors():
    """Return (file, line, message) of what mypy finds in the scripts."""
    done = run("mypy", *STRICT, "--output=json", "right.py", "wrong.py", cwd=SCRIPTS)
    if done.returncode > 1:
        sys.exit(done.stdout + done.stderr)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [(e["file"], e["line"], e["message"]) for e in found if e["severity"] == "error"]


def pyright_errors():
    """Return the same of pyright, with the settings that it has by itself."""
    done = run("pyright", "--outputjson", "--pythonpath", sys.executable, cwd=SCRIPTS)
    if done.returncode > 1:
        sys.exit(done.stdout + done.stderr)
    found = json.loads(done.stdout)["generalDiagnostics"]
    return [
        (Path(e["file"]).name, e["range"]["start"]["line"] + 1, e["message"])
        for e in found
        if e["severity"] == "error"
    ]


def scripts_are_as_marked(checker, errors):
    """Whether a checker reports the lines that are marked as wrong, and no other."""
    lines = (SCRIPTS / "wrong.py").read_text(encoding="utf-8").splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    reported = {line for file, line, _ in errors if file == "wrong.py"}
    unexpected = [e for e in errors if e[0] == "right.py" or e[1] not in marked]
    for file, line, message in unexpected:
        print(f"{checker}: {file}:{line}: {message}")
    for number in sorted(marked - reported):
        print(f"{checker}: wrong.py:{number}: not reported: {lines[number - 1]}")
    print(f"{checker}: {len(reported & marked)} of {len(marked)} wrong lines are reported")
    return not unexpected and marked <= reported


def main():
    """Run all checks; fail after the last one."""
    passed = [
        package_is_clean("mypy"),
        package_is_clean("pyright", "--pythonpath", sys.executable),
        scripts_are_as_marked("mypy", mypy_errors()),
        scripts_are_as_marked("pyright", pyright_errors()),
    ]
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
