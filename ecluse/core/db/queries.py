"""Fixed SQL from the `.sql` file beside the code that runs it.

Enters: a package and a file. Leaves: name → statement. A statement begins with `-- name: x`; the comment lines that
follow say what it is for and what its parameters are.
"""

from __future__ import annotations

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)[ \t]*$", re.MULTILINE)


def load(package: str | None, file: str) -> dict[str, str]:
    """The named statements of a file, without their comments.

    package: `__package__` of the module beside which the file lies
    Raises: ValueError when a name stands twice or a statement is empty
    """
    text = files(package or "").joinpath(file).read_text("utf-8")
    parts = _NAME.split(text)[1:]
    statements: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        sql = re.sub(r"^--.*\n", "", body, flags=re.MULTILINE).strip().removesuffix(";")
        if name in statements or not sql:
            raise ValueError(f"{package}/{file}: {name} stands twice or is empty")
        statements[name] = sql
    return statements
