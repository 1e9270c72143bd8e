"""Random codes for people, and a secret key that recognises outside ids without storing them."""

import base64
import hashlib
import hmac
import secrets
import unicodedata
from pathlib import Path

from hml.errors import DataError, InputError
from hml.files.atomic import write_atomically

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # no two that look alike
_KEY_BYTES = 32
_LONGEST_OUTSIDE_ID = 128


def new_code(length: int = 12) -> str:
    """Draw a code that can't be guessed and is easy to read aloud."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def read_code(text: str) -> str:
    """Normalise a typed code or subject: letters and digits only, in lower case and normal width.

    Examples:
        >>> read_code(" ABCD-efgh 2345 ")
        'abcdefgh2345'
    """
    return "".join(letter for letter in unicodedata.normalize("NFKC", text).lower() if letter.isalnum())


def read_outside_id(text: str) -> str:
    """Normalise a recruiting service's id of a person.

    Surrounding whitespace and invisible characters are removed, and Unicode is normalised to NFC. An empty id means no
    id.

    Raises:
        InputError: the id is invalid.

    Examples:
        >>> read_outside_id(" 5f0aa ")
        '5f0aa'
    """
    composed = unicodedata.normalize("NFC", text)
    outside_id = "".join(letter for letter in composed if unicodedata.category(letter) != "Cf").strip()
    if len(outside_id) > _LONGEST_OUTSIDE_ID:
        raise InputError(
            f"The participant id has {len(outside_id):,} characters; the maximum is {_LONGEST_OUTSIDE_ID}: "
            "open the link exactly as you received it, or tell the researchers."
        )
    if not outside_id.isprintable():
        raise InputError(
            "The participant id contains a line break or a control character: "
            "open the link exactly as you received it, or tell the researchers."
        )
    if set(outside_id) & set("{}%"):
        raise InputError(
            "The participant id in your link is a placeholder that was not replaced: please tell the researchers."
        )
    return outside_id


class Key:
    """A study's secret key, from which cookies, codes and hashes are derived.

    Args:
        path: Its file, beside the database, readable by its owner only.
        create: Whether to create a missing key.

    Raises:
        DataError: it is missing or damaged.
    """

    def __init__(self, path: Path, create: bool) -> None:
        if create and not path.exists():
            write_atomically(path, secrets.token_bytes(_KEY_BYTES), mode=0o600)
        try:
            self._secret = path.read_bytes()
        except OSError as error:
            raise DataError(
                f"Can't read {path}: {error.strerror}. Restore the study's key: without it people aren't recognised."
            ) from error
        if len(self._secret) != _KEY_BYTES:
            raise DataError(f"{path} has {len(self._secret)} bytes instead of {_KEY_BYTES}: restore the study's key.")

    def derive(self, purpose: str, text: str = "") -> bytes:
        """Derive bytes from the key, a purpose and a text."""
        return hmac.new(self._secret, f"{purpose}\0{text}".encode(), hashlib.sha256).digest()

    def hash_outside_id(self, outside_id: str) -> str:
        """Hash an outside id with the key; raise an InputError if it is empty or invalid."""
        if not (read := read_outside_id(outside_id)):
            raise InputError("The participant id is empty.")
        return self.derive("outside id", read).hex()

    def completion_code(self, code: str) -> str:
        """Return the code that shows that a person has finished."""
        return base64.b32encode(self.derive("completion", code))[:10].decode()
