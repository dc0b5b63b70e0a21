"""Pages about a model: HTML without scripts, one file with its style."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dafre_fast.core.atomic import replacing

_FRAMES = Path(__file__).parent


def render(template: Path, values: Mapping[str, object], path: Path) -> None:
    """Write a page of a template that extends `frame.html.jinja`; all values are escaped.

    Raises OutputError.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, _FRAMES]),
        autoescape=template.name.startswith("page"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": "{:,.0f}".format,
        "percent": lambda share: "–" if share is None else f"{share:.1%}",
        "words": lambda text: text.replace("_", " "),
        "figure": _figure,
    }
    text = environment.get_template(template.name).render(version=version("dafre_fast"), **values)
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def _figure(value: object) -> str:
    """Return a figure of a recipe as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(_figure, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
