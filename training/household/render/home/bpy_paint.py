"""Lets one mesh be painted, and be more or less shiny, object by object."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from training.household.render.bpy_materials import HOOK
from training.household.render.looks import Colour

# Object attributes: RGB and, as alpha, how much of it is used.
PAINT, FINISH = "home_paint", "home_finish"
PAINTED = "home_painted"  # name of the last node of a material that can be painted
# Materials are painted, largest first, until they cover this much of the mesh ...
ENOUGH = 0.8
# ... and a mesh whose paintable materials cover less than this keeps its look.
LEAST = 0.65
OPAQUE = 0.95


def prepare_paint(mesh: Any) -> bool:
    """Adds the hooks to the mesh's main materials; whether the mesh can be painted.

    Glass and other see-through materials are left alone.
    """
    shares = _areas(mesh)
    order = sorted(range(len(mesh.materials)), key=lambda k: shares[k], reverse=True)
    done = 0.0
    for k in order:
        shader = _shader(mesh.materials[k])
        if done >= ENOUGH or shader is None or not _opaque(shader):
            continue
        _hook(mesh.materials[k], shader)
        done += shares[k]
    return bool(done >= LEAST)


def paint(obj: Any, colour: Colour) -> None:
    """Paints one object of a prepared mesh; ``colour`` is linear RGB."""
    obj[PAINT] = (*colour, 1.0)


def finish(obj: Any, rng: random.Random, *, metal: bool) -> None:
    """Another roughness and bumpiness, and metal where allowed, for one object."""
    metallic = rng.uniform(0.6, 1.0) if metal and rng.random() < 0.25 else 0.0
    bump = rng.uniform(0.1, 0.5) if rng.random() < 0.4 else 0.0
    obj[FINISH] = (rng.uniform(0.12, 0.9), metallic, bump, 1.0)


def _areas(mesh: Any) -> np.ndarray[Any, Any]:
    """Share of the mesh's area by material."""
    count = len(mesh.polygons)
    areas, indices = np.empty(count, np.float32), np.empty(count, np.int32)
    mesh.polygons.foreach_get("area", areas)
    mesh.polygons.foreach_get("material_index", indices)
    sums = np.bincount(indices, weights=areas, minlength=max(1, len(mesh.materials)))
    return np.asarray(sums / max(float(sums.sum()), 1e-9))


def _shader(material: Any) -> Any:
    if material is None or not material.use_nodes:
        return None
    return next((n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED"), None)


def _opaque(shader: Any) -> bool:
    alpha, through = shader.inputs["Alpha"], shader.inputs["Transmission Weight"]
    return not alpha.is_linked and alpha.default_value >= OPAQUE and through.default_value < 0.05


def _hook(material: Any, shader: Any) -> None:
    tree = material.node_tree
    if tree.nodes.get(PAINTED):
        return
    base = shader.inputs["Base Color"]
    if not base.is_linked:
        return
    source = base.links[0].from_socket
    attribute = _attribute(tree, PAINT)
    # Darker and lighter places stay so, but weaker: a dark texture must not make yellow brown.
    grey = tree.nodes.new("ShaderNodeRGBToBW")
    tree.links.new(source, grey.inputs["Color"])
    relative = _math(tree, "DIVIDE", grey.outputs["Val"], max(_luminance(material), 0.004))
    shade = _math(tree, "POWER", relative, 0.35)
    low = _math(tree, "MAXIMUM", shade, 0.72)
    high = _math(tree, "MINIMUM", low, 1.1)
    shaded = tree.nodes.new("ShaderNodeVectorMath")
    shaded.operation = "SCALE"
    tree.links.new(attribute.outputs["Color"], shaded.inputs["Vector"])
    tree.links.new(high, shaded.inputs["Scale"])
    mix = tree.nodes.new("ShaderNodeMix")
    mix.name, mix.data_type = PAINTED, "RGBA"
    tree.links.new(attribute.outputs["Alpha"], mix.inputs[0])
    tree.links.new(source, mix.inputs[6])
    tree.links.new(shaded.outputs["Vector"], mix.inputs[7])
    tree.links.new(mix.outputs[2], base)
    _hook_finish(tree, shader, attribute)


def _hook_finish(tree: Any, shader: Any, painted: Any) -> None:
    attribute = _attribute(tree, FINISH)
    split = tree.nodes.new("ShaderNodeSeparateXYZ")
    tree.links.new(attribute.outputs["Vector"], split.inputs["Vector"])
    for name, output in (("Roughness", "X"), ("Metallic", "Y")):
        socket = shader.inputs[name]
        mix = tree.nodes.new("ShaderNodeMix")
        mix.data_type = "FLOAT"
        if socket.is_linked:
            tree.links.new(socket.links[0].from_socket, mix.inputs[2])
        elif name == "Metallic":
            # Paint is no metal, whatever is below it.
            bare = _math(tree, "SUBTRACT", None, 0.0)
            bare.node.inputs[0].default_value = 1.0
            tree.links.new(painted.outputs["Alpha"], bare.node.inputs[1])
            own = _math(tree, "MULTIPLY", bare, socket.default_value)
            tree.links.new(own, mix.inputs[2])
        else:
            mix.inputs[2].default_value = socket.default_value
        tree.links.new(attribute.outputs["Alpha"], mix.inputs[0])
        tree.links.new(split.outputs[output], mix.inputs[3])
        tree.links.new(mix.outputs[0], socket)
    if not shader.inputs["Normal"].is_linked:
        noise = tree.nodes.new("ShaderNodeTexNoise")
        noise.inputs["Scale"].default_value = 60.0
        noise.inputs["Detail"].default_value = 1.0
        coordinates = tree.nodes.new("ShaderNodeTexCoord")
        tree.links.new(coordinates.outputs["Object"], noise.inputs["Vector"])
        bump = tree.nodes.new("ShaderNodeBump")
        bump.inputs["Distance"].default_value = 0.003
        tree.links.new(split.outputs["Z"], bump.inputs["Strength"])
        tree.links.new(noise.outputs["Fac"], bump.inputs["Height"])
        tree.links.new(bump.outputs["Normal"], shader.inputs["Normal"])


def _attribute(tree: Any, name: str) -> Any:
    node = tree.nodes.new("ShaderNodeAttribute")
    node.attribute_type, node.attribute_name = "OBJECT", name
    return node


def _math(tree: Any, operation: str, value: Any, second: float) -> Any:
    node = tree.nodes.new("ShaderNodeMath")
    node.operation = operation
    node.inputs[1].default_value = second
    if value is not None:
        tree.links.new(value, node.inputs[0])
    return node.outputs["Value"]


def _luminance(material: Any) -> float:
    """Mean linear luminance of a material's base colour."""
    hook = material.node_tree.nodes.get(HOOK)
    if hook is None:
        return 0.2
    socket = hook.inputs["Color"]
    weights = np.array([0.2126, 0.7152, 0.0722])
    if not socket.is_linked:
        return float(np.dot(weights, socket.default_value[:3]))
    image = getattr(socket.links[0].from_node, "image", None)
    if image is None:
        return 0.2
    pixels = np.empty(len(image.pixels), dtype=np.float32)
    image.pixels.foreach_get(pixels)
    rows = pixels.reshape(-1, image.channels)[::7]
    colour = rows[:, :3] if image.channels >= 3 else np.repeat(rows[:, :1], 3, axis=1)
    if image.colorspace_settings.name == "sRGB":
        colour = colour**2.2
    return float((colour @ weights).mean())
