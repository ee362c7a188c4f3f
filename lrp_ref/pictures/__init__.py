"""Photographs in; panels, figures and colours out: knows no model and no relevance.

In: `formats`, `photograph`, `samples`, `tiff`. Out: `views` is what a person calls, `picture` what it is drawn with.

`show`, `save`, `overlay`, `panels`, `smoothed` and `words` are for use: they come when they are first asked for,
since Pillow, which they need, takes longer to load than everything else.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrp_ref.pictures.tokens import words
    from lrp_ref.pictures.views import overlay, panels, save, show, smoothed

__all__ = ["overlay", "panels", "save", "show", "smoothed", "words"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from lrp_ref.pictures import views
    from lrp_ref.pictures.tokens import words

    return words if name == "words" else getattr(views, name)
