"""An IO manager written before configurable ones, behind a class with config."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import treadle


class ConfigurableLegacyIOManagerAdapter(treadle.ConfigurableIOManagerFactory[Any]):
    """Subclass it with fields for the config of the older IO manager, which is `wrapped_io_manager`."""

    @property
    @abstractmethod
    def wrapped_io_manager(self) -> treadle.IOManagerDefinition:
        """The definition of the IO manager; its function finds the fields as `context.resource_config`."""

    def create_io_manager(self, context: treadle.InitResourceContext) -> treadle.IOManager:
        return self.wrapped_io_manager.call(context)
