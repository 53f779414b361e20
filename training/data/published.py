"""How large the data sets are by their publications, to tell a whole download from a part.

Only numbers that are certain stand here; whatever is not listed is counted, but not compared.

Sources:
    ADE20K: Zhou et al., CVPR 2017, scene parsing benchmark (150 classes, 20,210 / 2,000 images).
    COCO-Stuff: Caesar et al., CVPR 2018; COCO 2017 has 118,287 training images; labels.txt lists
        182 classes besides "unlabeled", 11 of them without a pixel.
    Mapillary Vistas v2.0: 124 classes; Neuhold et al., ICCV 2017: 18,000 / 2,000 images.
    PACO-LVIS: Ramanathan et al., CVPR 2023: 75 objects and 456 parts, 45,790 training images.
    PASCAL-Part as VLPart converts it: 93 parts (Sun et al., ICCV 2023).
    PartImageNet: He et al., ECCV 2022: 40 parts.
    refCOCO, refCOCO+ (UNC), refCOCOg (UMD): Yu et al., ECCV 2016, Nagaraja et al., ECCV 2016, and
        the statistics of TensorFlow Datasets' ref_coco; sums are the published totals (142,210,
        141,564 and 95,010 sentences).
    LLaVA: data cards of LLaVA-Instruct-150K and LLaVA-v1.5 (665,298 conversations, 40,688 of them
        text only).
    ReasonSeg: Lai et al., CVPR 2024: 239 / 200 / 779 images.
"""

from __future__ import annotations

# (images, references, sentences) by split
_REFER = {
    "refcoco": {
        "train": (16994, 42404, 120624),
        "val": (1500, 3811, 10834),
        "testA": (750, 1975, 5657),
        "testB": (750, 1810, 5095),
    },
    "refcoco+": {
        "train": (16992, 42278, 120191),
        "val": (1500, 3805, 10758),
        "testA": (750, 1975, 5726),
        "testB": (750, 1798, 4889),
    },
    "refcocog": {
        "train": (21899, 42226, 80512),
        "val": (1300, 2573, 4896),
        "test": (2600, 5023, 9602),
    },
}

# (set, split, what) -> number; the names are those of Count.
PUBLISHED: dict[tuple[str, str, str], int] = {
    ("ade20k", "all", "classes"): 150,
    ("ade20k", "training", "images"): 20210,
    ("ade20k", "training", "annotations"): 20210,
    ("ade20k", "validation", "images"): 2000,
    ("ade20k", "validation", "annotations"): 2000,
    ("cocostuff", "all", "classes"): 182,
    ("cocostuff", "train2017", "label maps"): 118287,
    ("cocostuff", "train2017", "images"): 118287,
    ("mapillary", "all", "classes"): 124,
    ("mapillary", "training", "images"): 18000,
    ("mapillary", "training", "label maps"): 18000,
    ("mapillary", "validation", "images"): 2000,
    ("mapillary", "validation", "label maps"): 2000,
    ("paco_lvis", "all", "categories"): 531,
    ("paco_lvis", "train", "images"): 45790,
    ("partimagenet", "all", "categories"): 40,
    ("llava_instruct_150k", "train", "conversations"): 157712,
    ("llava_v1_5_mix665k", "train", "conversations"): 665298,
    ("llava_v1_5_mix665k", "train", "conversations with an image"): 624610,
    ("reason_seg", "train", "images"): 239,
    ("reason_seg", "val", "images"): 200,
    ("reason_seg", "test", "images"): 779,
    **{
        (name, split, what): number
        for name, splits in _REFER.items()
        for split, numbers in splits.items()
        for what, number in zip(("images", "references", "sentences"), numbers, strict=True)
    },
}
