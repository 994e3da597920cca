"""The shapes of each service, as types for the rooms: `from hatoba.aws.shapes import ecs as t`.

Type checkers read the generated `.pyi` files (`python -m hatoba.aws.generate`). At run time a module makes what is
asked of it from the model: exception shapes become subclasses of `AwsError` to raise and catch, structures are plain
dicts.
"""

from hatoba.aws.shapes._lazy import error_class

__all__ = ["error_class"]
