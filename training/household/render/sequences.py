"""Which moving-camera sequences there are: a scene, a target, an intent and camera paths. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from training.household.categories import Category
from training.household.render.camera_path import Key
from training.household.render.demo import demo_scenes
from training.household.render.sampling import SceneSpec, plan_scenes

WIDTH, HEIGHT, SAMPLES = 512, 384, 4
FRAMES_PER_SECOND = 15.0
FOV_DEGREES = 57.0
# The plan of validation scenes; its first scenes do not depend on the number.
VALIDATION_FRAMES = 100


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """A scene filmed along paths.

    Attributes:
        scene: name of a demo scene or of a scene of the validation plan.
        target: category of the thing that leaves and re-enters the picture.
        intent: what a person would say to get it, by name or purpose.
        paths: camera paths by name; the last key's frame is the last frame.
        kind: of the intent: "explicit" (a name) or "implicit" (a purpose).
    """

    scene: str
    target: str
    intent: str
    paths: Mapping[str, tuple[Key, ...]]
    kind: str = "implicit"


# Swings to the right until the target has left over the left edge, and back.
PAN = (
    Key(frame=0, azimuth=-14, distance=0.92, height=0.6),
    Key(frame=30, azimuth=4, distance=0.8, height=0.56),
    Key(frame=62, azimuth=8, distance=0.8, height=0.56, pan=54),
    Key(frame=76, azimuth=8, distance=0.8, height=0.56, pan=58),
    Key(frame=108, azimuth=2, distance=0.82, height=0.57),
    Key(frame=129, azimuth=16, distance=0.85, height=0.6),
)
# Arcs around the target, looks up and left over it, and comes back on the other side.
ARC = (
    Key(frame=0, azimuth=26, distance=0.98, height=0.64),
    Key(frame=38, azimuth=0, distance=0.8, height=0.56),
    Key(frame=68, azimuth=-8, distance=0.82, height=0.57, pan=-18, tilt=42),
    Key(frame=82, azimuth=-18, distance=0.82, height=0.57, pan=-18, tilt=42),
    Key(frame=112, azimuth=-24, distance=0.82, height=0.58),
    Key(frame=129, azimuth=-12, distance=0.75, height=0.56),
)

SEQUENCES: dict[str, Sequence] = {
    "living_room": Sequence(
        scene="living_room_remote",
        target="tv_remote",
        # By name: what is measured on it is how well a thing is followed, not understood.
        intent="Find the remote control.",
        kind="explicit",
        paths={"pan": PAN, "arc": ARC},
    ),
    # Filmed after following was finished: nothing was chosen on it.
    "kitchen": Sequence(
        scene="kitchen_breakfast",
        target="toaster",
        intent="Find the toaster.",
        kind="explicit",
        paths={"pan": PAN, "arc": ARC},
    ),
    # Validation: for choosing thresholds.
    "office_val": Sequence(
        scene="val_00020",
        target="tv_remote",
        intent="change the TV channel",
        paths={"pan": PAN},
    ),
    "kitchen_val": Sequence(
        scene="val_00024",
        target="book",
        intent="something to read",
        paths={"arc": ARC},
    ),
    "phone_val": Sequence(
        scene="val_00006",
        target="mobile_phone",
        intent="Find the phone.",
        kind="explicit",
        paths={"pan": PAN, "arc": ARC},
    ),
}


def sequence_scene(sequence: Sequence, categories: Mapping[str, Category]) -> SceneSpec:
    """The scene of a sequence, at the sequences' picture size.

    Raises:
        KeyError: there is no such scene.
    """
    scenes = demo_scenes(categories) + plan_scenes(
        categories,
        split="val",
        frames=VALIDATION_FRAMES,
        views=2,
        width=WIDTH,
        height=HEIGHT,
        samples=SAMPLES,
    )
    found = {scene.name: scene for scene in scenes}[sequence.scene]
    return replace(found, width=WIDTH, height=HEIGHT, samples=SAMPLES)
