"""pip build of lisa_ros: the same CMakeLists.txt as `colcon build`, packed into a wheel.

The interfaces (action/, msg/, srv/) are compiled with the rosidl generators of the environment, so
the build needs them there: ``pip install -r requirements-ros.txt``, then
``pip install --no-build-isolation .``.  All other metadata is in pyproject.toml.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build import build

ROOT = Path(__file__).resolve().parent
SITE_FOLDERS = ("site-packages", "dist-packages")
# pip makes these itself, from pyproject.toml.
MADE_BY_PIP = ("bin",)


def package_version() -> str:
    """Return the version of package.xml, the only place that states it."""
    version = ElementTree.parse(ROOT / "package.xml").getroot().findtext("version")
    if not version:
        raise SystemExit("package.xml: <version> is missing")
    return version.strip()


def run(command: list[str], env: dict[str, str]) -> None:
    """Run one build step.

    Raises:
        SystemExit: the program is not installed, or it failed.
    """
    try:
        subprocess.run(command, env=env, check=True)
    except FileNotFoundError:
        raise SystemExit(f"lisa_ros: '{command[0]}' is not installed, the build needs it") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(
            f"lisa_ros: '{' '.join(command[:3])} ...' failed with status {error.returncode}. Does "
            "this environment have the packages of requirements-ros.txt, and was pip called with "
            "--no-build-isolation?"
        ) from None


class BuildWithCMake(build):
    """Builds and installs into a staging folder with CMake, then sorts the files into the wheel."""

    def run(self) -> None:
        work = Path(self.build_temp).resolve() / "lisa_ros"
        stage = work / "stage"
        shutil.rmtree(stage, ignore_errors=True)
        env = dict(os.environ)
        for name in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"):
            env[name] = os.pathsep.join(filter(None, [env.get(name), sys.prefix]))
        run(
            [
                "cmake",
                "-S",
                str(ROOT),
                "-B",
                str(work / "cmake"),
                f"-DCMAKE_INSTALL_PREFIX={stage}",
                "-DCMAKE_BUILD_TYPE=Release",
                "-DBUILD_TESTING=OFF",
                f"-DPython3_EXECUTABLE={sys.executable}",
            ],
            env,
        )
        jobs = str(os.cpu_count() or 1)
        run(["cmake", "--build", str(work / "cmake"), "-j", jobs, "--target", "install"], env)
        super().run()
        self._sort(stage)

    def _sort(self, stage: Path) -> None:
        """Move Python files to build_lib and declare everything else as data files.

        Args:
            stage: install prefix that CMake filled.
        """
        data: dict[str, list[str]] = {}
        for path in sorted(p for p in stage.rglob("*") if p.is_file()):
            parts = path.relative_to(stage).parts
            site = next((i for i, part in enumerate(parts) if part in SITE_FOLDERS), None)
            if site is not None:
                inside = Path(*parts[site + 1 :])
                if inside.parts[0].endswith(".egg-info") or inside.suffix in (".pyc", ".c"):
                    continue
                target = Path(self.build_lib) / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)
            elif (
                len(parts) > 1 and parts[0] not in MADE_BY_PIP and "parent_prefix_path" not in parts
            ):
                # parent_prefix_path: the prefixes of the building machine, of no use elsewhere.
                folder = str(Path(*parts[:-1]))
                data.setdefault(folder, []).append(os.path.relpath(path, ROOT))
        self.distribution.data_files = sorted(data.items())


class BinaryDistribution(Distribution):
    """A wheel of one platform and Python version: the interfaces are compiled."""

    def has_ext_modules(self) -> bool:
        return True


setup(
    version=package_version(),
    packages=["lisa_ros", "lisa_model"],
    data_files=[("share/lisa_ros", ["package.xml"])],
    cmdclass={"build": BuildWithCMake},
    distclass=BinaryDistribution,
)
