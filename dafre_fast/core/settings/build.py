"""Build groups of settings from raw values, and say in plain words what a value must be."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from dafre_fast.core.addresses import store_address
from dafre_fast.core.errors import UsageError
from dafre_fast.core.settings.groups import STORES, Group

G = TypeVar("G", bound=Group)


def fields(group: type[Group]) -> tuple[inspect.Field, ...]:
    """Return the settings of a group, in order, as msgspec describes them."""
    info = inspect.type_info(group)
    assert isinstance(info, inspect.StructType)
    return info.fields


def build(
    group: type[G], values: Mapping[str, object], spell: Callable[[str], str], *, strict: bool
) -> G:
    """Return one group: its own settings among `values`, and its defaults for the rest.

    `spell` writes the name of a setting as the user does (`--size`, `size`); `strict` is False if
    numbers and switches may be text. Raises UsageError that names the setting, its value and what
    it must be.
    """
    kinds = {field.encode_name: field.type for field in fields(group)}
    own = {name: values[name] for name in kinds.keys() & values.keys()}
    for name, value in own.items():
        if not _fits(kinds[name], value):
            raise UsageError(
                f"{spell(name)} {store_address(value)}: must be a folder or file of this machine;"
                " --into of `full` and `pack` takes object stores, and `verify` and `gallery` read"
                " them"
            )
    try:
        return msgspec.convert(own, group, strict=strict, dec_hook=_to_path)
    except msgspec.ValidationError as error:
        name = str(error).partition(" - at `$.")[2].partition("`")[0].partition("[")[0]
        must = must_be(kinds[name])
        raise UsageError(f"{spell(name)} {own[name]!r}: must be {must}") from error


def _fits(kind: inspect.Type, value: object) -> bool:
    """Return False for the address of an object store as a path that cannot be one: it would become
    a folder `s3:`.
    """
    extra = (kind.extra or {}) if isinstance(kind, inspect.Metadata) else {}
    is_path = must_be(kind) == must_be(inspect.CustomType(Path))
    return not is_path or extra == STORES or store_address(value) is None


def _to_path(kind: type, value: Any) -> Any:
    """Make a path of text; msgspec names the setting if this raises TypeError."""
    if kind is not Path:
        raise TypeError
    return Path(value).expanduser()


def must_be(kind: inspect.Type) -> str:
    """Describe the values that a setting takes: "a whole number from 1 to 100"."""
    match kind:
        case inspect.Metadata(type=inner) | inspect.UnionType(types=(inner, inspect.NoneType())):
            return must_be(inner)
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(map(str, values))}"
        case inspect.VarTupleType(item_type=item):
            return _list_of(item)
        case inspect.CustomType():
            return "a path"
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"a whole number{_bounds(kind)}"
        case inspect.FloatType():
            return f"a number{_bounds(kind)}"
    not_empty = isinstance(kind, inspect.StrType) and kind.min_length
    return "text that is not empty" if not_empty else "text"


def _list_of(item: inspect.Type) -> str:
    if isinstance(item, inspect.LiteralType):
        return f"one or more of {', '.join(map(str, item.values))}"
    if isinstance(item, (inspect.IntType, inspect.FloatType)):
        return f"a list, each {must_be(item)}"
    return "a list of paths" if isinstance(item, inspect.CustomType) else "a list of words"


def _bounds(number: inspect.IntType | inspect.FloatType) -> str:
    if number.gt is not None:
        return f" above {number.gt:,}"
    if number.ge is not None and number.le is not None:
        return f" from {number.ge:,} to {number.le:,}"
    return f" of at least {number.ge:,}" if number.ge is not None else ""
