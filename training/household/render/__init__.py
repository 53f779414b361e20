"""Renders RGB-D frames with instance masks of household scenes.

Modules named ``bpy_*`` (and ``runner``) need Blender's Python module; nothing outside this
package imports them. All other modules are pure and run anywhere.
"""
