"""A console beside its Python model."""

from .model import ConsoleModel


def checked(device, model: ConsoleModel):
    """A function that asks a device, checks its answer against the model's, and returns it."""

    def ask(items):
        expected = b"".join(map(model.handle, items))
        assert device.ask(items) == expected
        return expected

    return ask
