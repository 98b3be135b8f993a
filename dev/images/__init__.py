"""The project's images as archives, each built once for what it is made of.

A Docker engine builds them where one answers, else buildah does.
"""

from dev.images.image import NAMES, Image, build

__all__ = ["NAMES", "Image", "build"]
