"""The quick acceptance of a resource: msgspec structs compiled from the definitions at first use of a type.

Enters: JSON bytes. Leaves: nothing, or `msgspec.ValidationError`, which means "refused or unsure": the walk of
`explain.py` decides. A struct never accepts what the walk refuses, but for five things that only the bytes show and
`acceptance.py` looks for: empty objects, objects with nothing but an id, duplicate names, control characters and depth.
It is unsure about what is rare: `_name` siblings of primitives, null, and bundles inside other resources.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from threading import Lock
from types import ModuleType
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from ecluse.core.fhir.definitions.structures import Element, structures
from ecluse.core.fhir.primitives import annotation

_MODULE = "ecluse.core.fhir._structs"
_compiled = sys.modules.setdefault(_MODULE, ModuleType(_MODULE))
"""Where msgspec looks up the names of types that refer to each other."""
_making = Lock()
vars(_compiled).update(Annotated=Annotated, Meta=Meta, Raw=Raw, UnsetType=UnsetType)
_HOLDERS = {"Bundle", "Parameters"}
"""Inside another resource these are left to the walk: each level would read all text below it once more."""


class _Peek(msgspec.Struct):
    resourceType: str


_peek = msgspec.json.Decoder(_Peek)


@cache
def check(resource_type: str) -> Callable[[bytes | Raw], Any]:
    """The function that decodes JSON into the struct of a resource type, or raises msgspec's errors."""
    with _making:
        return msgspec.json.Decoder(struct(resource_type)).decode


def struct(type_name: str) -> type[msgspec.Struct]:
    """The struct of a type, made after those of all types it names. A member `given` is the field `given_`."""
    name = _name(type_name)
    if not hasattr(_compiled, name):
        setattr(_compiled, name, None)  # a type may name itself
        elements = structures().types[type_name]
        setattr(_compiled, name, _defined(type_name, elements))
        for kind in sorted({kind for element in elements for kind in element.types if kind in structures().types}):
            struct(kind)
    made: type[msgspec.Struct] = getattr(_compiled, name)
    return made


def _name(type_name: str) -> str:
    return "R4_" + type_name.replace(".", "_")


def _defined(type_name: str, elements: tuple[Element, ...]) -> type[msgspec.Struct]:
    fields = [field for element in elements for field in _fields(element)]
    if type_name in structures().resources:
        fields.insert(0, ("resourceType_", Literal[type_name]))
    final = _after(elements)
    return msgspec.defstruct(
        _name(type_name),
        fields,
        namespace={"__post_init__": final} if final else None,
        module=_MODULE,
        rename={field[0]: field[0][:-1] for field in fields},
        kw_only=True,
        forbid_unknown_fields=True,
        gc=False,
    )


def _fields(element: Element) -> list[Any]:
    """Fields of an element for defstruct. Types are given as text, for msgspec to resolve when all of them are made."""
    made: list[Any] = []
    for name, kind in element.members():
        primitive = kind in structures().primitives
        if primitive:
            setattr(_compiled, "P_" + kind, annotation(kind))
        one = "Raw" if kind == "Resource" else f"P_{kind}" if primitive else _name(kind)
        several = f"Annotated[list[{one}], Meta(min_length=1)]" if element.many else one
        required = element.required and not element.choice
        made.append((name + "_", several) if required else (name + "_", f"{several} | UnsetType", UNSET))
    return made


def _after(elements: tuple[Element, ...]) -> Callable[[Any], None] | None:
    """What msgspec cannot say of a struct: choices, and the resources inside. None when there is nothing to check."""
    choices = [_choice(element) for element in elements if element.choice]
    inside = [element.name + "_" for element in elements if element.types == ("Resource",)]
    if not choices and not inside:
        return None

    def __post_init__(self: Any) -> None:
        for get, allowed in choices:
            if get(self).count(UNSET) not in allowed:
                raise ValueError("choice")
        for name in inside:
            raw = getattr(self, name)
            if raw is not UNSET:
                _check_inside(raw)

    return __post_init__


def _choice(element: Element) -> tuple[Callable[[Any], tuple[Any, ...]], tuple[int, ...]]:
    """The members of a choice and how many of them may be absent."""
    names = [name + "_" for name, _ in element.members()]
    return attrgetter(*names), (len(names) - 1,) if element.required else (len(names) - 1, len(names))


def _check_inside(raw: Raw | list[Raw]) -> None:
    """Checks the resources inside another one; those of a list are contained and may not contain any."""
    for one in raw if isinstance(raw, list) else [raw]:
        name = _peek.decode(one).resourceType
        if name not in structures().resources or name in _HOLDERS:
            raise ValueError("resource type")
        found = check(name)(one)
        if isinstance(raw, list) and getattr(found, "contained_", UNSET) is not UNSET:
            raise ValueError("nested contained resource")
