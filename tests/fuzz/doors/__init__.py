"""Every door of the package that something comes in by, a module for each room."""

from harness import Door

from doors import models, numbers, photographs, programs

DOORS: tuple[Door, ...] = (*numbers.DOORS, *photographs.DOORS, *models.DOORS, *programs.DOORS)
