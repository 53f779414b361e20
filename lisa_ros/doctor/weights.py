"""The model's files: there, whole, and how much memory they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from lisa_model.errors import LisaError
from lisa_ros.doctor.report import Finding, failed, ok, warning

SHIPPED = "lisa-tiny"
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


def check_files(name: str, verify: Callable[[], str], remedy: str) -> Finding:
    """Run a verification.

    Args:
        name: of the check.
        verify: returns what is right; raises LisaError or OSError when something is not.
        remedy: where the error itself has none.
    """
    try:
        return ok(name, verify())
    except (LisaError, OSError) as error:
        return failed(name, str(error), remedy)


def weights(model: str) -> tuple[list[Finding], int | None]:
    """Check a model's files against their checksums.

    Args:
        model: name or folder, as the node's parameter.

    Returns:
        Findings, and the number of the model's values, None when it could not be counted.
    """
    folder = Path(model).expanduser()
    if model == SHIPPED and not folder.is_dir():
        return _shipped()
    if not folder.is_dir():
        return [
            failed(
                "model",
                f"{model} is neither {SHIPPED} nor a folder",
                "Give --model DIR: a folder of `lisa convert`, of your training, or an official "
                "checkpoint",
            )
        ], None
    return _folder(folder)


def _shipped() -> tuple[list[Finding], int | None]:
    from lisa_model.base_weights import SOURCES, verify_base_weights
    from lisa_model.model import check_sums
    from lisa_model.tiny_segmenter import WEIGHTS

    folder = WEIGHTS / SHIPPED

    def trained() -> str:
        check_sums(folder)
        return f"the trained part in {folder} is as it was shipped"

    findings = [check_files(SHIPPED, trained, "Reinstall the package, or check the file out again")]
    folders = [folder]
    for name, source in SOURCES.items():
        if source.needed_for != "running":
            continue

        def base(name: str = name) -> str:
            folders.append(verify_base_weights(name, progress=False))
            return f"base weights in {folders[-1]} are as they were converted"

        again = f"python3 -m lisa_model.base_weights --force {name}"
        findings.append(check_files(name, base, again))
    complete = len(folders) == len(findings)
    return findings, count_values(folders) if complete else None


def _folder(folder: Path) -> tuple[list[Finding], int | None]:
    from lisa_model.checkpoint.manifest import MANIFEST_NAME, verify
    from lisa_model.model import CHECKSUM_FILE, check_sums

    def converted() -> str:
        manifest = verify(folder, progress=False)
        return f"all {len(manifest.files)} files of {folder} are as they were written"

    def trained() -> str:
        check_sums(folder)
        return f"the files of {folder} are as they were written"

    if (folder / MANIFEST_NAME).is_file():
        found = check_files("model", converted, "Run `lisa convert` again")
    elif (folder / CHECKSUM_FILE).is_file():
        found = check_files("model", trained, "Save the model again, or copy it again")
    else:
        found = warning(
            "model",
            f"{folder} has no checksums, so damage cannot be seen",
            f"lisa convert {folder} DIR writes a copy with checksums; then --model DIR",
        )
    try:
        return [found], count_values([folder])
    except (LisaError, OSError, ValueError) as error:
        lost = failed("model tensors", str(error), "Copy or download the folder again")
        return [found, lost], None


def count_values(folders: Iterable[Path]) -> int:
    """Return the number of values of all tensors in some folders, by the files' headers.

    Raises:
        LisaError: a folder has no readable weights.
    """
    from lisa_model.checkpoint.reader import open_checkpoint
    from lisa_model.checkpoint.safetensors_file import SafetensorsFile
    from lisa_model.llava.config import is_official

    count = 0
    for folder in folders:
        if is_official(folder):
            info = open_checkpoint(folder).info
        else:
            # Those hold LoRA factors for other files' weights, which a checkpoint may not.
            info = SafetensorsFile(folder / "model.safetensors").info
        count += sum(one.bytes // one.dtype.itemsize for one in info.values())
    return count


def needed_bytes(values: int, dtype: str) -> int:
    """Return the memory that so many values take; without activations.

    Args:
        dtype: float32, bfloat16 or float16.
    """
    return values * _BYTES[dtype]
