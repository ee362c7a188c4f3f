"""Every door of the package that something comes in by, a module for each room."""

from harness import Door

from doors import programs

DOORS: tuple[Door, ...] = (*programs.DOORS,)
