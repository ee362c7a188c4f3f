"""A folder in VOC's layout, made here: what is read from it, and one line for everything that is wrong in it."""

import imageio.v3 as iio
import numpy as np
import pytest

from lrp_ref.paper.precision import evaluate
from lrp_ref.paper.voc import read_voc

rng = np.random.default_rng(0)
OBJECT = ("<object><name>{}</name><difficult>{}</difficult>"
          "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>")
# 9 high and 7 wide. a: two dogs, one of them difficult; b: a difficult dog, and a cat; c: nothing; d: a cat.
OBJECTS = {"a": [("dog", 0, 2, 3, 4, 5), ("dog", 1, 4, 5, 7, 9)], "b": [("dog", 1, 1, 1, 3, 2), ("cat", 0, 7, 9, 7, 9)],
           "c": [], "d": [("cat", 0, 1, 1, 7, 9)]}


def write_annotation(folder, name, objects, size=(9, 7)):
    body = "".join(OBJECT.format(*one) for one in objects)
    (folder / "Annotations" / f"{name}.xml").write_text(
        f"<annotation><size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>{body}</annotation>")


@pytest.fixture
def voc(tmp_path):
    """Cats and dogs: 1, 0, -1 in the files of the sets, with the devkit's two blanks before a 1."""
    folder = tmp_path / "VOC2007"
    for part in ("JPEGImages", "ImageSets/Main", "Annotations"):
        (folder / part).mkdir(parents=True)
    for name, objects in OBJECTS.items():
        iio.imwrite(folder / "JPEGImages" / f"{name}.jpg", rng.integers(0, 256, (9, 7, 3), dtype=np.uint8))
        write_annotation(folder, name, objects)
    sets = folder / "ImageSets" / "Main"
    (sets / "test.txt").write_text("a\nb\nc\nd\n")
    (sets / "dog_test.txt").write_text("a  1\nb  0\nc -1\nd -1\n")
    (sets / "cat_test.txt").write_text("a -1\nb  1\nc -1\nd  1\n")
    (sets / "val.txt").write_text("c\n")
    (sets / "cat_val.txt").write_text("c -1\n")
    (sets / "cat_trainval.txt").write_text("c -1\nd 1\n")
    return folder


def test_classes_and_labels_are_those_of_the_set_and_difficult_ones_count_neither_way(voc):
    read = read_voc(voc)
    assert (read.classes, read.names, read.title) == (("cat", "dog"), ["a", "b", "c", "d"],
                                                      "4 photographs of VOC2007, set test")
    assert np.stack([scene.labels for scene in read.scenes]).tolist() == [[0, 1], [1, 0], [0, 0], [1, 0]]
    assert np.stack([scene.counted for scene in read.scenes]).tolist() == [[1, 1], [1, 0], [1, 1], [1, 1]]


def test_difficult_objects_can_be_counted_as_positives(voc):
    read = read_voc(voc, count_difficult=True)
    assert np.stack([scene.labels for scene in read.scenes]).tolist() == [[0, 1], [1, 1], [0, 0], [1, 0]]
    assert all(scene.counted.all() for scene in read.scenes)


def test_another_set_is_another_choice_and_a_longer_name_that_ends_alike_is_none_of_it(voc):
    read = read_voc(voc, "val")
    assert (read.classes, read.names, list(read.explain)) == (("cat",), ["c"], [])


def test_the_masks_are_unions_of_boxes_counted_from_one_with_their_last_pixel(voc):
    a, b, c, d = read_voc(voc).scenes
    dogs = np.zeros((9, 7), bool)
    dogs[2:5, 1:4] = True     # rows 3 to 5, columns 2 to 4
    dogs[4:9, 3:7] = True
    assert a.masks.shape == (2, 9, 7) and not a.masks[0].any()
    assert a.masks[1].tolist() == dogs.tolist() and dogs.sum() == 9 + 20 - 1
    assert np.argwhere(b.masks[0]).tolist() == [[8, 6]] and b.masks[1].sum() == 6   # 3 wide, 2 high
    assert not c.masks.any() and d.masks[0].all()


def test_photographs_are_read_when_they_are_asked_for(voc):
    read = read_voc(voc)
    assert read.scenes[1].image.shape == (9, 7, 3) and 0 <= read.scenes[1].image.min() < read.scenes[1].image.max() <= 1
    (voc / "JPEGImages" / "b.jpg").write_bytes(b"no longer")
    with pytest.raises(ValueError, match=r"b\.jpg is no image"):
        read.scenes[1].image   # noqa: B018


def test_only_photographs_with_something_in_them_are_explained_as_many_as_asked_for_drawn_by_the_seed(voc):
    assert read_voc(voc).explain == [0, 1, 3]
    draws = {tuple(read_voc(voc, count=2, seed=seed).explain) for seed in range(9)}
    assert draws == {(0, 1), (0, 3), (1, 3)}
    assert read_voc(voc, count=2, seed=4).explain == read_voc(voc, count=2, seed=4).explain


class Ranks:
    """A model that scores the photographs one after another."""

    classes = ("dog", "bird", "cat")

    def __init__(self, *scores):
        self.scores = iter(scores)

    def prepare(self, image):
        return np.array([next(self.scores)], float)

    def network(self, shape):
        return lambda x: x


def test_an_ignored_photograph_ranks_neither_as_a_hit_nor_as_a_miss(voc):
    # Dogs: b first, then a. Ignored, b costs nothing; as a positive it is a hit; as a negative it would halve a's.
    scores = [(3, 0, 1), (9, 0, 2), (2, 0, 7), (1, 0, 5)]
    table = evaluate({"m": Ranks(*scores)}, read_voc(voc))
    assert table["dog", "m"] == 1 and table["dog", "prevalence"] == 1 / 3
    # Cats: c d b a, of which d and b are: precision 1/2 at recall 1/2, 2/3 at recall 1.
    assert table["cat", "m"] == pytest.approx(2 / 3, rel=1e-15, abs=0) and table["cat", "prevalence"] == 2 / 4
    scores[0] = (0, 0, 1)     # now the dog a comes last: a hit first, a hit last
    counted = evaluate({"m": Ranks(*scores)}, read_voc(voc, count_difficult=True))
    assert counted["dog", "prevalence"] == 2 / 4
    # Precision 1 up to recall 1/2, then 2/4: (6 + 5 / 2) / 11, but for the last places of a sum of eleven.
    assert counted["dog", "m"] == pytest.approx((6 + 5 / 2) / 11, rel=1e-15, abs=0)


def spoil(path, text):
    def spoiled(voc):
        file = voc / path
        file.unlink() if text is None else file.write_text(text)
    return spoiled


def box(*corners):
    return lambda voc: write_annotation(voc, "d", [("cat", 0, *corners)])


MAIN = "ImageSets/Main/"
BROKEN = {
    "no set": (spoil(MAIN + "test.txt", None), r"no file .*test\.txt: give a folder in the layout of VOC 2007"),
    "an empty set": (spoil(MAIN + "test.txt", "\n \n"), "names no photograph"),
    "two words": (spoil(MAIN + "test.txt", "a\nb 1\n"), "line 2 of .*test.txt is 'b 1', needed the name"),
    "no label": (spoil(MAIN + "dog_test.txt", "a 1\nb\n"), "line 2 of .*dog_test.txt is 'b', needed .* 1, 0 or -1"),
    "another label": (spoil(MAIN + "dog_test.txt", "a 2\n"), "line 1 of .*_test.txt says '2' of a, needed 1, 0 or -1"),
    "too few labels": (spoil(MAIN + "dog_test.txt", "a 1\nb 0\n"), r"says nothing of c \(2 such photographs\)"),
    "no photograph": (spoil("JPEGImages/c.jpg", None), r"no photograph .*c\.jpg, which .*test\.txt names"),
    "no annotation": (spoil("Annotations/c.xml", None), r"no annotation .*c\.xml: give a folder"),
    "half an annotation": (spoil("Annotations/a.xml", "<annotation><size>"), r"a\.xml is no XML: no element found"),
    "no size": (spoil("Annotations/a.xml", "<annotation/>"), "got nothing for size/width of <annotation>"),
    "no number": (box(1, "one", 2, 3), "got 'one' for bndbox/ymin of <object>, needed a whole number"),
    "no finite number": (box(1, 1, "inf", 3), "got 'inf' for bndbox/xmax"),
    "a box from 0": (box(0, 1, 7, 9), r"the box of cat goes from \(0, 1\) to \(7, 9\), needed pixels from \(1, 1\)"),
    "a box beyond the edge": (box(1, 1, 7, 10), r"to \(7, 10\), needed pixels from \(1, 1\) to \(7, 9\)"),
    "a box turned round": (box(5, 1, 4, 9), r"from \(5, 1\) to \(4, 9\)"),
    "no box": (spoil(MAIN + "dog_test.txt", "a 1\nb 0\nc 1\nd -1\n"), r"c\.xml has no dog, but .*dog_test\.txt says"),
}


@pytest.mark.parametrize("wrong", BROKEN)
def test_what_is_missing_or_broken_is_said_in_one_line(voc, wrong):
    spoiled, said = BROKEN[wrong]
    spoiled(voc)
    with pytest.raises(ValueError, match=said) as error:
        read_voc(voc)
    assert "\n" not in str(error.value)


def test_a_folder_without_classes_is_refused(voc):
    (voc / MAIN / "train.txt").write_text("a\n")
    with pytest.raises(ValueError, match=r"no file <class>_train\.txt"):
        read_voc(voc, "train")


def test_decimals_are_rounded_as_some_sets_of_this_layout_write_them(voc):
    box(1.2, 1, 6.8, 9)(voc)
    assert read_voc(voc).scenes[3].boxes[0] == ((1, 1, 7, 9),)
