"""nanoGPT's meta.pkl: the characters of a data set, read without running what a pickle can."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

from ...support.errors import UserError
from ..codec import TextCodec


class _Plain(pickle.Unpickler):
    """Numbers, texts and their containers only: no class is looked up."""

    def find_class(self, module: str, name: str):
        raise pickle.UnpicklingError(f"it holds {module}.{name}")


def read_meta(path: Path, vocab_size: int | None = None) -> TextCodec:
    """Codec of the file's ``itos``; ids from there to ``vocab_size`` have no text.

    Raises UserError if it holds anything but plain numbers and texts, or does not fit.
    """
    try:
        content = _Plain(io.BytesIO(path.read_bytes())).load()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except pickle.UnpicklingError as error:
        raise UserError(f"{path} is refused: {error}; expected plain stoi and itos") from None
    except Exception:  # a damaged pickle raises nearly anything
        raise UserError(f"{path} is no whole pickle; expected plain stoi and itos") from None
    tables = content if isinstance(content, dict) else {}
    stoi, itos = tables.get("stoi"), tables.get("itos")
    whole = isinstance(stoi, dict) and isinstance(itos, dict)
    if not whole or any(type(i) is not int or type(t) is not str for i, t in itos.items()):
        raise UserError(f"{path} must hold stoi and itos of whole numbers and texts")
    if stoi != {text: token for token, text in itos.items()} or sorted(itos) != [*range(len(itos))]:
        raise UserError(f"{path} must have stoi and itos that agree, with ids from 0 on")
    size = len(itos) if vocab_size is None else vocab_size
    if len(itos) > size:
        raise UserError(f"{path} has {len(itos)} characters, but the model has {size} tokens")
    return TextCodec.of_characters([itos[i] for i in range(len(itos))] + [""] * (size - len(itos)))
