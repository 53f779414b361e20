"""LISA on ROS 2: the perception node and what it is made of.

The messages and services generated from msg/ and srv/ live in this package too.  Run from a source
tree they lie in another folder of the same name, so the search path is joined.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
