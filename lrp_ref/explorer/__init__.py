"""A page to explore explanations in: every cut-off, several classes and rules, in one file that needs nothing else."""

from lrp_ref.explorer.facts import view
from lrp_ref.explorer.page import Explorer, explorer, page
from lrp_ref.explorer.view import View

__all__ = ["Explorer", "View", "explorer", "page", "view"]
