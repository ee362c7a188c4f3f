"""Photographs in; panels, figures and colours out: knows no model and no relevance.

`show`, `save`, `overlay`, `panels` and `smoothed` are for use: they come from views.py when they are first asked for,
since Pillow, which they need, takes longer to load than everything else.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrp_ref.pictures.views import overlay, panels, save, show, smoothed

__all__ = ["overlay", "panels", "save", "show", "smoothed"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from lrp_ref.pictures import views

    return getattr(views, name)
