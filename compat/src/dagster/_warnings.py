"""Warning classes that users name in `warnings.filterwarnings`, and how older forms are warned of.

Treadle issues only `SupersessionWarning` of these classes: it has no such stages.
"""

from __future__ import annotations

import sys
import warnings


def warn_deprecated(message: str) -> None:
    """Warn of an older form, at the line of the user that has it."""
    frame, depth = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(("dagster.", "treadle.")):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(message, DeprecationWarning, stacklevel=depth)


class PreviewWarning(Warning):
    """Something may change without notice."""


class BetaWarning(Warning):
    """Something may still change."""


class SupersessionWarning(FutureWarning):
    """Something still works, and there is a better way."""


class ConfigArgumentWarning(SyntaxWarning):
    """A config argument is used in a way that probably is not meant."""
