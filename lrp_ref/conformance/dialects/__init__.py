"""What eight libraries compute, as rows of the table of conventions (`lrp_ref.conventions.table`)."""

from lrp_ref.conformance.dialects.dialect import CANONICAL, Conventions, Dialect
from lrp_ref.conformance.dialects.libraries import DIALECTS

__all__ = ["CANONICAL", "DIALECTS", "Conventions", "Dialect"]
