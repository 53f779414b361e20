"""Materials: repairs and tint hooks for imported ones, procedural ones for rooms."""

from __future__ import annotations

from typing import Any

import bpy

from training.household.render.looks import Style

MAXIMUM_TEXTURE = 1024
HOOK = "household_tint"


def prepare_material(material: Any) -> None:
    """Drops dead textures (they render magenta) and lets the object's colour tint the base.

    The object colour's RGB multiplies the base colour; its alpha is the hue (0.5: unchanged).
    So one mesh serves objects of many colours. Safe to call twice.
    """
    if material is None or not material.use_nodes or material.node_tree.nodes.get(HOOK):
        return
    tree = material.node_tree
    for node in [n for n in tree.nodes if n.type == "TEX_IMAGE"]:
        if not _alive(node.image):
            tree.nodes.remove(node)
    shader = next((n for n in tree.nodes if n.type == "BSDF_PRINCIPLED"), None)
    if shader is None:
        return
    base = shader.inputs["Base Color"]
    info = tree.nodes.new("ShaderNodeObjectInfo")
    hue = tree.nodes.new("ShaderNodeHueSaturation")
    hue.name = HOOK
    tint = tree.nodes.new("ShaderNodeMix")
    tint.data_type, tint.blend_type = "RGBA", "MULTIPLY"
    tint.inputs[0].default_value = 1.0
    if base.is_linked:
        tree.links.new(base.links[0].from_socket, hue.inputs["Color"])
    else:
        hue.inputs["Color"].default_value = base.default_value
    tree.links.new(info.outputs["Alpha"], hue.inputs["Hue"])
    tree.links.new(hue.outputs["Color"], tint.inputs[6])
    tree.links.new(info.outputs["Color"], tint.inputs[7])
    tree.links.new(tint.outputs[2], base)


def _alive(image: Any) -> bool:
    if image is None or image.size[0] == 0 or image.size[1] == 0:
        return False
    longest = max(image.size)
    if longest > MAXIMUM_TEXTURE:
        factor = MAXIMUM_TEXTURE / longest
        image.scale(max(1, int(image.size[0] * factor)), max(1, int(image.size[1] * factor)))
    return True


def room_material(style: Style, name: str) -> Any:
    """A procedural material over the object's own x, y coordinates (metres)."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    shader = next(n for n in tree.nodes if n.type == "BSDF_PRINCIPLED")
    shader.inputs["Roughness"].default_value = style.roughness
    a, b = (*style.colour_a, 1.0), (*style.colour_b, 1.0)
    if style.kind == "plain":
        shader.inputs["Base Color"].default_value = a
        return material
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    mapping = tree.nodes.new("ShaderNodeMapping")
    mapping.inputs["Rotation"].default_value[2] = style.angle
    tree.links.new(coordinates.outputs["Object"], mapping.inputs["Vector"])
    vector = mapping.outputs["Vector"]
    if style.kind in ("tiles", "checker"):
        tree.links.new(_squares(tree, style, vector, a, b), shader.inputs["Base Color"])
        return material
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = b, a
    tree.links.new(_pattern(tree, style, mapping), ramp.inputs["Fac"])
    tree.links.new(ramp.outputs["Color"], shader.inputs["Base Color"])
    return material


def _squares(tree: Any, style: Style, vector: Any, a: Any, b: Any) -> Any:
    if style.kind == "checker":
        node = tree.nodes.new("ShaderNodeTexChecker")
        node.inputs["Color1"].default_value, node.inputs["Color2"].default_value = a, b
        node.inputs["Scale"].default_value = 1 / style.size
    else:
        node = tree.nodes.new("ShaderNodeTexBrick")
        node.offset = 0.0 if style.angle == 0 else 0.5
        node.inputs["Color1"].default_value = a
        node.inputs["Color2"].default_value = (*(0.93 * v for v in a[:3]), 1.0)
        node.inputs["Mortar"].default_value = b
        node.inputs["Scale"].default_value = 1.0
        node.inputs["Brick Width"].default_value = style.size
        node.inputs["Row Height"].default_value = style.size
        node.inputs["Mortar Size"].default_value = 0.004
    tree.links.new(vector, node.inputs["Vector"])
    return node.outputs["Color"]


def _pattern(tree: Any, style: Style, mapping: Any) -> Any:
    vector = mapping.outputs["Vector"]
    if style.kind == "stripes":
        node = tree.nodes.new("ShaderNodeTexWave")
        node.inputs["Scale"].default_value = 0.3 / style.size
        node.wave_profile = "SAW" if style.roughness > 0.6 else "SIN"
        tree.links.new(vector, node.inputs["Vector"])
        return node.outputs["Fac"]
    node = tree.nodes.new("ShaderNodeTexNoise")
    node.inputs["Detail"].default_value = 3.0
    if style.kind == "wood":
        mapping.inputs["Scale"].default_value = (0.12, 1.0, 1.0)
        node.inputs["Scale"].default_value = 4 / style.size
        node.inputs["Distortion"].default_value = 0.6
    elif style.kind == "marble":
        node.inputs["Scale"].default_value = 1 / style.size
        node.inputs["Distortion"].default_value = 2.5
    elif style.kind == "carpet":
        node.inputs["Scale"].default_value = 120.0
    elif style.kind == "plaster":
        node.inputs["Scale"].default_value = 12.0
    else:
        node.inputs["Scale"].default_value = 1 / style.size
    tree.links.new(vector, node.inputs["Vector"])
    return node.outputs["Fac"]
