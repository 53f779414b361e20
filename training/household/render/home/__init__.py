"""The frames of HomeReason: varied scenes in which attributes and relations decide.

Modules named ``bpy_*`` (and ``worker``) need Blender's Python module; all others are pure.
"""
