"""Names of files as text."""


def as_text(name: str) -> str:
    r"""A name that every encoding of Unicode can hold: bytes of a file's name that are no UTF-8 become escapes.

    Example:
        >>> print(as_text("caf\udce9"), as_text("café"))
        caf\udce9 café
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
