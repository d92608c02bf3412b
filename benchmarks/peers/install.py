"""One throw-away environment for each tool that promptlab is measured beside, under .bench/, with the versions that stand beside this file.

    python benchmarks/peers/install.py [NAME ...]

An environment whose list of versions has not changed is left alone. What cannot be installed is told, and the benchmark skips it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parent.parent / ".bench"
BY_NPM = ("promptfoo",)


def commands(name: str, folder: Path, listed: Path) -> list[list[str]]:
    """What makes an environment; Python's bytecode is compiled, so that no first run pays for it."""
    if name in BY_NPM:
        packages = [line for line in listed.read_text(encoding="utf-8").split("\n") if line and not line.startswith("#")]
        return [["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel", "error", *packages]]
    own = str(folder / "bin" / "python")
    pip = [own, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps", "--requirement", str(listed)]
    return [[sys.executable, "-m", "venv", str(folder)], pip, [own, "-m", "compileall", "-q", "-j", "0", str(folder / "lib")]]


def install(name: str) -> str | None:
    """Make the environment where it is not there yet; why it failed, if it did."""
    folder, listed = ENVIRONMENTS / name, HERE / f"{name}.txt"
    ready, failed = folder / "ready", ENVIRONMENTS / f"{name}.failed"
    stamp = hashlib.sha256(listed.read_bytes() + sys.version.encode()).hexdigest()
    if ready.exists() and ready.read_text(encoding="ascii") == stamp:
        return None
    print(f"{name}: installing", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    failed.unlink(missing_ok=True)
    for command in commands(name, folder, listed):
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        except OSError as error:
            why = f"{command[0]}: {error.strerror}"
        else:
            if not done.returncode or "compileall" in command:  # some packages ship files that are no Python of this version
                continue
            why = next(
                (line for line in reversed((done.stdout + done.stderr).splitlines()) if line.strip()), f"exit code {done.returncode}"
            )
        failed.write_text(f"cannot be installed here: {why[:300]}\n", encoding="utf-8")
        return why
    ready.write_text(stamp, encoding="ascii")
    return None


def main() -> None:
    """Install what is asked for, or all."""
    for name in sys.argv[1:] or sorted(path.stem for path in HERE.glob("*.txt")):
        if why := install(name):
            print(f"{name}: cannot be installed here: {why}")


if __name__ == "__main__":
    main()
