"""Every door of the package that something comes in by, a module for each room."""

from harness import Door

from doors import models, numbers, onnx_files, photographs, programs, results, texts

DOORS: tuple[Door, ...] = (*numbers.DOORS, *photographs.DOORS, *models.DOORS, *onnx_files.DOORS, *programs.DOORS,
                            *texts.DOORS, *results.DOORS)
