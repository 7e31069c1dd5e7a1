"""Check what a release consists of: the wheel and the sdist, installed away from the repository.

Usage, at the root of the repository, with build and twine installed: python .ci/check_release.py
"""

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

# What a user does first, without the tests: fit, save, load, tell the versions.
SMOKE = """
import pickle
import numpy as np
import skbadr
from importlib.resources import files

rng = np.random.default_rng(0)
group = rng.integers(0, 2, 300)
X = np.column_stack([rng.normal(size=300), group])
y = (X[:, 0] + group + rng.normal(size=300) > 0).astype(int)
model = skbadr.BADRClassifier(bound=0.1).fit(X, y, sensitive_features=group)
assert model.metric_value_ <= 0.1 < model.baseline_metric_value_
assert (pickle.loads(pickle.dumps(model)).predict(X) == model.predict(X)).all()
assert files("skbadr").joinpath("py.typed").is_file()
skbadr.show_versions()
"""


def run(*command, cwd=None):
    """Run a command; what it prints, where it fails, is the error."""
    print("$", *(Path(part).name if "/" in str(part) else part for part in command), flush=True)
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return done.stdout


def build(folder):
    """Build both files, and return their paths: the wheel, the sdist."""
    run(sys.executable, "-m", "build", "--outdir", folder, ".")
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check(condition, message):
    if not condition:
        sys.exit(message)


def check_contents(wheel, sdist, version):
    """Check the names within the files, and the metadata."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = f"skbadr-{version}.dist-info"
        metadata = message_from_bytes(archive.read(f"{info}/METADATA"))
    tracked = set(run("git", "ls-files", "skbadr").split())
    inside = {name for name in names if not name.startswith(f"{info}/")}
    check(inside == tracked, f"the wheel and the repository differ: {sorted(inside ^ tracked)}")
    check("skbadr/py.typed" in names, "the wheel lacks py.typed")
    check(f"{info}/licenses/LICENSE" in names, "the wheel lacks the license")
    licences = metadata["License-Expression"]
    check(licences == "BSD-3-Clause AND CC-BY-4.0", f"the wheel names the licences {licences}")
    check(any(name.endswith("/ADULT_LICENSE.md") for name in names), "Adult lacks its licence")
    check(metadata["Version"] == version, f"the wheel is of version {metadata['Version']}")
    urls = dict(url.split(", ") for url in metadata.get_all("Project-URL"))
    check({"Source", "Documentation", "Changelog", "Issues"} <= set(urls), f"urls: {urls}")
    text = metadata.get_payload()
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    relative = [link for link in links if not link.startswith(("https://", "#"))]
    check(links and not relative, f"links that lead nowhere on a package index: {relative}")
    check(all(f"/v{version}/" in x for x in links if urls["Source"] in x), "links of no version")

    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"README.md", "LICENSE", "pyproject.toml", "CITATION.cff", "doc/changelog.md"}
    check(wanted | tracked <= packed, f"the sdist lacks {sorted((wanted | tracked) - packed)}")
    print(f"{wheel.name}: {len(names)} files, {wheel.stat().st_size // 1024} kB, no tests")
    print(f"{sdist.name}: {len(packed)} files, {sdist.stat().st_size // 1024} kB")


def check_installed(path, folder):
    """Install a file in a fresh environment, and run what a user runs first, away from here."""
    run(sys.executable, "-m", "venv", folder / "venv")
    python = folder / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    run(python, "-m", "pip", "install", "-q", f"{path}[cli,report]")
    run(python, "-m", "pip", "check")
    run(python, "-W", "error", "-c", SMOKE, cwd=folder)
    run(python, "-m", "skbadr", cwd=folder)
    check((folder / "skbadr_output").is_dir(), "the main command wrote nothing")


def main():
    """Run all checks."""
    version = re.search(r'__version__ = "(.+)"', Path("skbadr/__init__.py").read_text("utf-8"))[1]
    citation = Path("CITATION.cff").read_text(encoding="utf-8")
    check(f"\nversion: {version}\n" in citation, f"CITATION.cff is not of version {version}")
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    check(project["tool"]["hatch"]["version"]["path"] == "skbadr/__init__.py", "another version")
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch) / name for name in ("first", "second", "wheel", "sdist")]
        for folder in folders:
            folder.mkdir()
        files, again = build(folders[0]), build(folders[1])
        check([*map(digest, files)] == [*map(digest, again)], "two builds differ")
        print("Two builds are equal, byte for byte.")
        print(run(sys.executable, "-m", "twine", "check", "--strict", *files), end="")
        check_contents(*files, version)
        for path, folder in zip(files, folders[2:], strict=True):
            check_installed(path, folder)
            print(f"{path.name}: installed, fitted, saved, loaded; the main command ran.")


if __name__ == "__main__":
    main()
