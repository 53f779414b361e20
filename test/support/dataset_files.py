"""Small data sets in the layouts of the genuine downloads, for the tests of their readers."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEIGHT, WIDTH = 30, 40

# COCO images of train2017; the last two stand in refCOCO's validation and test.
COCO_TRAIN = (9, 25, 34)
COCO_SCORED = (77, 78)
ADE_CLASSES = ("wall", "building, edifice", "sky", "floor, flooring")
STUFF_CLASSES = ("person", "bicycle", "wall-brick", "tree")
VISTAS_CLASSES = ("Bird", "Ground Animal", "Curb")


def picture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 RGB: smooth colours that JPEG keeps."""
    small = np.random.default_rng(seed).integers(0, 255, (3, 4, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def write_picture(path: Path, seed: int, height: int = HEIGHT, width: int = WIDTH) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture(seed, height, width)[..., ::-1])


def write_labels(path: Path, labels: NDArray[np.uint8], *, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    if palette:
        # Colours that have nothing to do with the indices.
        image.putpalette([(37 * k + 11) % 256 for k in range(768)])
    image.save(path)


def write_json(path: Path, values: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")


def write_pickle(path: Path, values: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(values, protocol=2))


def quarters(top_left: int, top_right: int, bottom_left: int, bottom_right: int) -> Any:
    """(HEIGHT, WIDTH) uint8 of four values."""
    blocks = np.array([[top_left, top_right], [bottom_left, bottom_right]], np.uint8)
    return blocks.repeat(HEIGHT // 2, axis=0).repeat(WIDTH // 2, axis=1)


def rectangle(left: int, top: int, right: int, bottom: int) -> list[float]:
    """A polygon that covers these pixels, right and bottom exclusive."""
    return [float(v) for v in (left, top, right, top, right, bottom, left, bottom)]


def box_mask(left: int, top: int, right: int, bottom: int) -> NDArray[np.uint8]:
    """The mask of that polygon."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def coco_train2017(root: Path) -> None:
    for image in (*COCO_TRAIN, *COCO_SCORED):
        write_picture(root / "coco" / "train2017" / f"{image:012d}.jpg", image)


def ade20k(root: Path) -> None:
    base = root / "ade20k"
    lines = ["Idx\tRatio\tTrain\tVal\tStuff\tName"]
    lines += [f"{k}\t0.1\t10\t1\t1\t{name}" for k, name in enumerate(ADE_CLASSES, 1)]
    base.mkdir(parents=True, exist_ok=True)
    (base / "objectInfo150.txt").write_text("\n".join(lines) + "\n")
    maps = [quarters(0, 1, 2, 4), quarters(3, 3, 3, 3)]
    for number, labels in enumerate(maps, 1):
        name = f"ADE_train_{number:08d}"
        write_picture(base / "images" / "training" / f"{name}.jpg", number)
        write_labels(base / "annotations" / "training" / f"{name}.png", labels)


def cocostuff(root: Path) -> None:
    coco_train2017(root)
    lines = ["0: unlabeled"] + [f"{k}: {name}" for k, name in enumerate(STUFF_CLASSES, 1)]
    (root / "cocostuff").mkdir(parents=True, exist_ok=True)
    (root / "cocostuff" / "labels.txt").write_text("\n".join(lines) + "\n")
    for image in (*COCO_TRAIN, *COCO_SCORED):
        path = root / "cocostuff" / "train2017" / f"{image:012d}.png"
        write_labels(path, quarters(255, 0, 2, 3))


def mapillary(root: Path) -> None:
    base = root / "mapillary"
    labels = [{"name": f"x--{name}", "readable": name} for name in VISTAS_CLASSES]
    write_json(base / "config_v2.0.json", {"labels": labels})
    for name in ("aX3", "bY4"):
        write_picture(base / "training" / "images" / f"{name}.jpg", len(name))
        path = base / "training" / "v2.0" / "labels" / f"{name}.png"
        write_labels(path, quarters(0, 0, 1, 2), palette=True)


def coco_json(
    images: dict[int, str], annotations: list[tuple[int, int, int, Any]], categories: Any
) -> dict[str, Any]:
    """An annotation file. Annotations are (id, image, category, segmentation)."""
    return {
        "images": [
            {"id": k, "file_name": name, "height": HEIGHT, "width": WIDTH}
            for k, name in images.items()
        ],
        "annotations": [
            {"id": k, "image_id": image, "category_id": category, "segmentation": part}
            for k, image, category, part in annotations
        ],
        "categories": categories,
    }


def paco_lvis(root: Path) -> None:
    coco_train2017(root)
    images = {k: f"train2017/{k:012d}.jpg" for k in (9, 25, COCO_SCORED[0])}
    # 5 columns of background, 3 of the part, the rest background.
    plain = {"size": [HEIGHT, WIDTH], "counts": [5 * HEIGHT, 3 * HEIGHT, 32 * HEIGHT]}
    annotations = [
        (1, 9, 1, [rectangle(2, 3, 12, 13), rectangle(20, 3, 24, 7)]),
        (2, 9, 2, plain),
        (3, COCO_SCORED[0], 1, [rectangle(0, 0, 5, 5)]),
    ]
    categories = [
        {"id": 1, "name": "mug_(cup)"},
        {"id": 2, "name": "trash_can:handle"},
    ]
    path = root / "vlpart" / "paco" / "annotations" / "paco_lvis_v1_train.json"
    write_json(path, coco_json(images, annotations, categories))


def pascal_part(root: Path) -> None:
    base = root / "vlpart" / "pascal_part"
    write_picture(base / "VOCdevkit" / "VOC2010" / "JPEGImages" / "2008_000003.jpg", 3)
    annotations = [(k, 1, 1 + k % 2, [rectangle(k, k, k + 8, k + 8)]) for k in range(1, 6)]
    categories = [{"id": 1, "name": "dog:head"}, {"id": 2, "name": "dog:tail"}]
    write_json(base / "train.json", coco_json({1: "2008_000003.jpg"}, annotations, categories))


def partimagenet(root: Path) -> None:
    base = root / "partimagenet"
    write_picture(base / "train" / "n01440764" / "n01440764_10029.JPEG", 4)
    categories = [{"id": 0, "name": "Quadruped Head", "supercategory": "Quadruped"}]
    # The genuine file holds outlines of two points, too.
    annotations = [(1, 1, 0, [rectangle(4, 4, 10, 12), [3.0, 3.0, 5.0, 5.0]])]
    write_json(base / "train.json", coco_json({1: "n01440764_10029.JPEG"}, annotations, categories))


def ref(image: int, split: str, ann: Any, *sentences: str) -> dict[str, Any]:
    """An entry of REFER."""
    return {
        "ref_id": image * 10,
        "ann_id": ann,
        "category_id": 1,
        "image_id": image,
        "split": split,
        "file_name": f"COCO_train2014_{image:012d}_{image}.jpg",
        "sent_ids": list(range(len(sentences))),
        "sentences": [
            {"sent_id": k, "sent": text, "raw": text, "tokens": text.split()}
            for k, text in enumerate(sentences)
        ],
    }


def _train2014(root: Path, images: tuple[int, ...]) -> dict[int, str]:
    names = {k: f"COCO_train2014_{k:012d}.jpg" for k in images}
    folder = root / "refer_seg" / "images" / "mscoco" / "images" / "train2014"
    for k, name in names.items():
        write_picture(folder / name, k)
    return names


REFER_ANNOTATIONS = [
    (90, 9, 1, [rectangle(2, 2, 10, 10), rectangle(6, 6, 14, 14)]),
    (91, 9, 1, [rectangle(20, 4, 30, 9)]),
    (250, 25, 1, [rectangle(1, 1, 5, 5)]),
    (770, 77, 1, [rectangle(1, 1, 5, 5)]),
    (780, 78, 1, [rectangle(1, 1, 5, 5)]),
]


def refcoco(root: Path, name: str = "refcoco", partition: str = "unc") -> None:
    names = _train2014(root, (9, 25, *COCO_SCORED))
    folder = root / "refer_seg" / name
    write_json(folder / "instances.json", coco_json(names, REFER_ANNOTATIONS, []))
    refs = [
        ref(9, "train", 90, "The Left Mug", "mug", "handle side"),
        ref(9, "train", 91, "right mug"),
        ref(25, "train", 250, "the plate"),
        ref(77, "val", 770, "a cat"),
        ref(78, "test" if name == "refcocog" else "testA", 780, "a dog"),
    ]
    write_pickle(folder / f"refs({partition}).p", refs)


def refclef(root: Path) -> None:
    name = "19/images/19579.jpg"
    write_picture(root / "refer_seg" / "images" / "saiapr_tc-12" / name, 5)
    # An image number that COCO has too: the sets are not related.
    whole = {"size": [HEIGHT, WIDTH], "counts": [0, HEIGHT * WIDTH]}
    folder = root / "refer_seg" / "refclef"
    write_json(folder / "instances.json", coco_json({77: name}, [(1, 77, 1, [whole])], []))
    write_pickle(folder / "refs(unc).p", [ref(77, "train", 1, "the whole scene")])


def grefcoco(root: Path) -> None:
    names = _train2014(root, (9, 25, *COCO_SCORED))
    folder = root / "refer_seg" / "grefcoco"
    write_json(folder / "instances.json", coco_json(names, REFER_ANNOTATIONS, []))
    refs = [
        ref(9, "train", [90, 91], "the two mugs"),
        ref(25, "train", [-1], "the elephant"),
        ref(77, "val", [770], "a cat"),
    ]
    write_json(folder / "grefs(unc).json", refs)


def llava_turns(*texts: str) -> list[dict[str, str]]:
    """Turns of LLaVA."""
    return [{"from": ("human", "gpt")[k % 2], "value": text} for k, text in enumerate(texts)]


def llava_instruct_150k(root: Path) -> None:
    coco_train2017(root)
    entries = [
        {
            "id": f"{image:012d}",
            "image": f"{image:012d}.jpg",
            "conversations": llava_turns("What is it?\n<image>", "A cup.", "Where?", "Left."),
        }
        for image in (9, 25, *COCO_SCORED)
    ]
    write_json(root / "llava_dataset" / "llava_instruct_150k.json", entries)


def llava_v1_5_mix665k(root: Path) -> None:
    coco_train2017(root)
    write_picture(root / "gqa" / "images" / "2354786.jpg", 6)
    talk = llava_turns("<image>\nWhat is it?", "A cup.")
    entries = [
        {"id": "a", "image": "coco/train2017/000000000009.jpg", "conversations": talk},
        {"id": "b", "image": f"coco/train2017/{COCO_SCORED[1]:012d}.jpg", "conversations": talk},
        {"id": "c", "image": "gqa/images/2354786.jpg", "conversations": talk},
        {"id": "d", "conversations": llava_turns("Tell me a joke.", "No.")},
    ]
    write_json(root / "llava_dataset" / "llava_v1_5_mix665k.json", entries)


def labelme(label: str, left: int, top: int, right: int, bottom: int) -> dict[str, Any]:
    """A shape of ReasonSeg."""
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return {"label": label, "points": corners, "shape_type": "polygon"}


def reason_seg(root: Path) -> None:
    base = root / "reason_seg" / "ReasonSeg"
    items = {
        ("train", "one"): (["What keeps the coffee warm?", "Find the cup!"], True),
        ("train", "two"): (["The Lid"], False),
        ("val", "three"): (["something to sit on"], False),
        ("test", "four"): (["something to drink from"], False),
    }
    for number, ((split, name), (texts, sentence)) in enumerate(items.items()):
        write_picture(base / split / f"{name}.jpg", number)
        shapes = [labelme("target", 4, 4, 20, 20), labelme("ignore", 10, 10, 14, 14)]
        values = {"text": texts, "is_sentence": sentence, "shapes": shapes}
        write_json(base / split / f"{name}.json", values)
    explanation = {"image": "one.jpg", "query": "Why?", "outputs": "The cup is insulated."}
    write_json(base / "explanatory" / "train.json", [explanation])


def household(root: Path, count: int = 2) -> None:
    """Frames in root/household/train."""
    for number in range(count):
        name = f"train_{number:05d}_0"
        stem = root / "household" / "train" / name
        write_picture(stem.with_suffix(".jpg"), number)
        ids = np.zeros((HEIGHT, WIDTH), np.uint8)
        boxes = {1: (2, 2, 16, 16), 2: (20, 2, 36, 14), 3: (4, 18, 8, 22)}
        for k, (left, top, right, bottom) in boxes.items():
            ids[top:bottom, left:right] = k
        write_labels(stem.with_name(f"{name}.ids.png"), ids)
        things = {1: "mug", 2: "tv_remote", 3: "laptop"}
        instances = [
            {
                "id": k,
                "category": things[k],
                "box_xyxy": list(boxes[k]),
                "area": int((ids == k).sum()),
                "point_m": [0.0, 0.0, 1.0],
            }
            for k in boxes
        ]
        values = {"name": name, "split": "train", "instances": instances, "models": ["BY52"]}
        write_json(stem.with_suffix(".json"), values)


def write_all(root: Path) -> None:
    """Every set."""
    for writer in (
        ade20k,
        cocostuff,
        mapillary,
        paco_lvis,
        pascal_part,
        partimagenet,
        refclef,
        grefcoco,
        llava_instruct_150k,
        llava_v1_5_mix665k,
        reason_seg,
        household,
    ):
        writer(root)
    for name, partition in (("refcoco", "unc"), ("refcoco+", "unc"), ("refcocog", "umd")):
        refcoco(root, name, partition)
