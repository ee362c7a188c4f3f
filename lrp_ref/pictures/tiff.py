"""What the numbers in a TIFF file are, by its tags: ordinary ones are read, all others refused by name."""

from __future__ import annotations

from typing import Any

from lrp_ref.pictures.refusal import WORDS, Refused, told

# The tags, and by PhotometricInterpretation the bits of unsigned numbers that are read as what they are.
TAGS = {258: "BitsPerSample", 259: "Compression", 262: "PhotometricInterpretation", 266: "FillOrder",
        284: "PlanarConfiguration", 317: "Predictor", 339: "SampleFormat", 530: "YCbCrSubSampling"}
BITS = {0: (1, 2, 4, 8, 16), 1: (1, 2, 4, 8, 12, 16), 2: (8, 16), 3: (1, 2, 4, 8), 5: (8, 16), 6: (8,), 8: (8,)}


def tags_of(file: Any, head: bytes) -> Any:
    """A TIFF's first directory."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    tags = ImageFileDirectory_v2(head[: 16 if 43 in head[2:4] else 8])
    file.seek(tags.next)
    tags.load(file)
    return tags


def check_tiff(tags: Any, name: str) -> None:
    """A refusal of a TIFF whose numbers its reader would take for others: signed, packed, apart, 0 for white."""
    facts = tiff_facts(tags)
    if not is_ordinary(facts):
        got = ", ".join(f"{TAGS[tag]} {' '.join(map(str, value))[:20]}" for tag, value in facts.items()
                        if tag in (258, 262) or (tag in TAGS and tag in tags and set(value) != {1}))
        raise Refused(f"{name} is a TIFF of {told(got, WORDS)}, a kind that is not read: save it as PNG, or with 8 or "
                      "16 unsigned bits per sample in one plane, or grey as 32-bit floats from 0 to 1")


def tiff_facts(tags: Any) -> dict[int, tuple[Any, ...]]:
    """The tags that say what the numbers are, each as a tuple; where they are missing, what TIFF says they are."""
    missing = {256: 0, 257: 0, 258: 1, 259: 1, 262: 0, 266: 1, 284: 1, 317: 1, 339: 1, 530: 2}
    found = {tag: tags.get(tag, value) for tag, value in missing.items()}
    facts = {tag: value if isinstance(value, tuple) else (value,) for tag, value in found.items()}
    if facts[259] == (6,):   # old JPEG in TIFF is luma and chroma of 8 bits, whatever the tags say
        facts |= {258: (8,), 262: (6,)}
    return facts


def is_ordinary(facts: dict[int, tuple[Any, ...]]) -> bool:
    bits, compression, light, fill, planes, predictor, form, chroma = (
        facts[tag] for tag in (258, 259, 262, 266, 284, 317, 339, 530))
    if len(set(bits)) != 1 or len(set(form)) != 1:
        return False
    if form[0] == 3:
        return bits == (32,) and light in ((0,), (1,)) and planes == (1,)
    if bits == (32,) and form[0] in (1, 2):
        return True   # whole numbers of unknown range, which is said of arrays in the same words
    if form[0] != 1 or bits[0] not in BITS.get(light[0], ()):
        return False
    # Of planes apart, the reader takes all numbers for plain bytes; and of one sample there is one plane only.
    apart = planes == (2,) and bits[0] == 8 and light[0] in (1, 2, 5) and fill == (1,)
    if planes != (1,) and not apart:
        return False
    raw = compression == (1,)   # then nothing undoes a predictor or puts chroma back to every pixel
    return not raw or (predictor == (1,) and (light != (6,) or set(chroma) == {1}))
