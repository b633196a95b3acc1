"""Resources and IO managers, as users type them."""

from collections.abc import Iterator
from typing import Any, assert_type

from treadle.author.configurable import (
    ConfigurableIOManager,
    ConfigurableResource,
    ConfigurableResourceFactory,
    ResourceDependency,
)
from treadle.author.env import EnvVar
from treadle.author.io_contexts import InputContext, OutputContext, build_output_context
from treadle.author.io_managers import FilesystemIOManager, IOManager, IOManagerDefinition, io_manager
from treadle.author.resources import InitResourceContext, ResourceDefinition, ResourceParam, resource


class Client:
    def get(self) -> int:
        return 1


class ClientFactory(ConfigurableResourceFactory[Client]):
    url: str

    def create_resource(self, context: InitResourceContext) -> Client:
        return Client()


class Credentials(ConfigurableResource):
    user: str = "me"


class Database(ConfigurableResource):
    credentials: Credentials
    client: ResourceDependency[Client]
    port: int = 5432

    def query(self) -> str:
        assert_type(self.client.get(), int)
        assert_type(self.client, Client)
        assert_type(self.port, int)
        return self.credentials.user


Database(credentials=Credentials(user=EnvVar("USER")), client=ClientFactory(url="x"), port=EnvVar.int("PORT"))
Database(credentials=Credentials(), client=Client())
Database(credentials=Credentials(), client=ResourceDefinition.none_resource())
Database(credentials=Credentials(), client=5)  # pyright: ignore[reportArgumentType]
assert_type(Database(credentials=Credentials(), client=Client()).query(), str)


def takes(client: ResourceParam[Client]) -> int:
    assert_type(client, Client)
    return client.get()


class Own(ConfigurableIOManager):
    folder: str

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        context.add_output_metadata({"folder": self.folder})

    def load_input(self, context: InputContext) -> Any:
        return list(context.get_asset_identifier())


manager: IOManager = Own(folder=".")
other: IOManager = FilesystemIOManager(base_dir=EnvVar("DIR"))
build_output_context(name="x", asset_key=["a", "b"])


@resource
def plain() -> int:
    return 1


@resource(config_schema={"x": int})
def configured(context: InitResourceContext) -> Iterator[int]:
    yield context.resource_config["x"]


@io_manager
def made(context: InitResourceContext) -> IOManager:
    return FilesystemIOManager()


assert_type(plain, ResourceDefinition)
assert_type(configured, ResourceDefinition)
assert_type(made, IOManagerDefinition)
