"""Warning classes that users name in `warnings.filterwarnings`. Treadle never issues them: it has no such stages."""

from __future__ import annotations


class PreviewWarning(Warning):
    """Something may change without notice."""


class BetaWarning(Warning):
    """Something may still change."""


class SupersessionWarning(FutureWarning):
    """Something still works, and there is a better way."""


class ConfigArgumentWarning(SyntaxWarning):
    """A config argument is used in a way that probably is not meant."""
