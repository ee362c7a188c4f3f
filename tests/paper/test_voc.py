"""A folder in VOC's layout, made here: what is read from it, and one line for everything that is wrong in it."""

import os
import pickle
import re
import tarfile
from contextlib import nullcontext

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from lrp_ref.paper.precision import evaluate
from lrp_ref.paper.voc import read_voc
from lrp_ref.pictures.photograph import upright, upright_box

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


# --- what the folder says of a photograph, and what the photograph is -----------------------------------------------


def turn(voc, orientation, stored=(9, 7)):
    """The photograph d with an EXIF orientation; its object, white on black, covers rows 2 to 4 and columns 3 to 6."""
    pixels = np.zeros(stored, np.uint8)
    pixels[1:4, 2:6] = 255
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(pixels).save(voc / "JPEGImages" / "d.jpg", "PNG", exif=exif)   # the content counts
    return pixels == 255


@pytest.mark.parametrize("size", [(9, 7), (7, 7)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_turned_together_with_the_pixels(voc, orientation, size):
    turn(voc, orientation, size)
    write_annotation(voc, "d", [("cat", 0, 3, 2, 6, 4)], size)
    notes = pytest.warns(UserWarning, match=r"EXIF turns d\.jpg \(1 such photographs\)") if orientation > 1 else \
        nullcontext()
    with notes:
        d = read_voc(voc).scenes[3]
    np.testing.assert_array_equal(d.masks[0], d.image == 1)


@pytest.mark.parametrize("orientation", range(5, 9))
def test_boxes_drawn_on_the_turned_photograph_stay(voc, orientation):
    seen = upright(turn(voc, orientation), orientation)
    (top, *_, bottom), (left, *_, right) = (sorted(set(axis)) for axis in np.nonzero(seen))
    write_annotation(voc, "d", [("cat", 0, left + 1, top + 1, right + 1, bottom + 1)], (7, 9))
    d = read_voc(voc).scenes[3]
    np.testing.assert_array_equal(d.masks[0], d.image == 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_is_turned_as_its_pixels_are(orientation):
    for box in ((1, 1, 1, 1), (2, 3, 4, 8), (7, 9, 7, 9), (1, 1, 7, 9)):
        left, top, right, bottom = box
        mask = np.zeros((9, 7), bool)
        mask[top - 1:bottom, left - 1:right] = True
        left, top, right, bottom = upright_box(box, (9, 7), orientation)
        want = np.zeros_like(upright(mask, orientation))
        want[top - 1:bottom, left - 1:right] = True
        np.testing.assert_array_equal(upright(mask, orientation), want)


@pytest.mark.parametrize("size", [(7, 9), (10**8, 10**8), (0, 0)])
def test_a_size_that_is_not_the_photographs_is_refused_before_anything_has_it(voc, size):
    write_annotation(voc, "c", [], size)
    said = rf"c\.xml is of a photograph of {size[0]} x {size[1]} pixels \(height x width\), but c\.jpg has 9 x 7"
    with pytest.raises(ValueError, match=said):
        read_voc(voc)


# --- lists as other programs write them -----------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lists_may_begin_with_a_mark_of_their_encoding(voc, encoding):
    for name in ("test.txt", "cat_test.txt"):
        file = voc / MAIN / name
        file.write_bytes(file.read_text().encode(encoding))
    assert read_voc(voc).names == ["a", "b", "c", "d"]


@pytest.mark.parametrize("data, said", [("é\n".encode("latin-1"), "UTF-8 (byte 0 is 0xe9)"),
                                        (b"\xff\xfea\0\n", "UTF-16 (byte 4 is 0x0a)"),
                                        (b"a\nb\n\xb0", "UTF-8 (byte 4 is 0xb0)")])
def test_a_list_that_is_no_text_is_said_with_its_name(voc, data, said):
    (voc / MAIN / "test.txt").write_bytes(data)
    with pytest.raises(ValueError, match=re.escape(f"test.txt is no text in {said}: save it in UTF-8")):
        read_voc(voc)


def test_files_that_begin_with_a_dot_are_no_classes(voc):
    (voc / MAIN / "._cat_test.txt").write_bytes(b"\0\5\x16\7\xb0")
    assert read_voc(voc).classes == ("cat", "dog")


def test_a_photograph_twice_in_a_set_counts_once_and_is_said(voc):
    (voc / MAIN / "test.txt").write_text("a\nb\nc\nd\nb\nb\n")
    with pytest.warns(UserWarning, match=r"test\.txt names b more than once \(2 lines too many\)"):
        assert read_voc(voc).names == ["a", "b", "c", "d"]


def test_a_list_that_says_two_things_is_said(voc):
    (voc / MAIN / "dog_test.txt").write_text("a 1\nb 0\nc -1\nd -1\nb -1\n")
    with pytest.warns(UserWarning, match=r"dog_test\.txt says 0 and -1 of b \(1 such lines\): the last one counts"):
        assert read_voc(voc).scenes[1].counted[1]


@pytest.mark.parametrize("path", [MAIN + "test.txt", MAIN + "dog_test.txt", "Annotations/c.xml", "JPEGImages/c.jpg"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_only_regular_files_are_opened(voc, path, kind):
    (voc / path).unlink()
    make = {"pipe": os.mkfifo, "folder": os.mkdir, "device": lambda path: os.symlink("/dev/zero", path)}[kind]
    make(voc / path)
    with pytest.raises(ValueError, match=r"^no (file|annotation|photograph) "):
        read_voc(voc)


def test_a_list_or_an_annotation_without_an_end_is_refused(voc):
    with (voc / "Annotations" / "c.xml").open("r+b") as file:
        file.truncate(10**10)   # without blocks on the disk
    with pytest.raises(ValueError, match=r"c\.xml is longer than 20,000,000 bytes \(MOST_TEXT\)"):
        read_voc(voc)


@pytest.mark.parametrize("text", ["<?xml version='1.0' encoding='none'?><a/>", "<a>\0</a>",
                                  "<?xml version='1.0' encoding='utf-7'?><a/>",
                                  "<!DOCTYPE a [<!ENTITY b SYSTEM '/etc/passwd'>]><a>&b;</a>"])
def test_an_annotation_that_is_no_xml_is_said_with_its_name(voc, text):
    (voc / "Annotations" / "c.xml").write_text(text)
    with pytest.raises(ValueError, match=r"c\.xml is no XML: .*: is the file complete\?"):
        read_voc(voc)


@pytest.mark.parametrize("number", ["1" * 400, "-1e9", "1e999", "\x1b[31m" + 300 * "9"])
def test_numbers_that_no_pixel_has_are_refused_briefly(voc, number):
    box(1, 1, number, 3)(voc)
    with pytest.raises(ValueError) as error:
        read_voc(voc)
    assert len(str(error.value)) <= 500 and str(error.value).isprintable()


# --- the tar that the data set comes in, and masks ------------------------------------------------------------------


def packed(voc, path, *more):
    """A tar of the folder as VOC's are: VOCdevkit/VOC2007/JPEGImages/a.jpg; and other files in it."""
    with tarfile.open(path, "w") as file:
        file.add(voc, "VOCdevkit/VOC2007")
        for name in more:
            file.add(voc / "ImageSets" / "Main" / "test.txt", name)
    return path


def test_the_tar_of_a_folder_is_read_as_the_folder_is(voc, tmp_path):
    folder, tar = read_voc(voc), read_voc(packed(voc, tmp_path / "VOCtest.tar"))
    assert (tar.classes, tar.names, tar.title, tar.explain) == (folder.classes, folder.names, folder.title,
                                                                folder.explain)
    for one, other in zip(folder.scenes, tar.scenes):
        assert (one.image == other.image).all() and (one.masks == other.masks).all() and one.boxes == other.boxes
    assert len(pickle.dumps(tar.scenes[0])) < 2000   # a task carries where it lies, not what is in it


def test_what_is_wrong_in_a_tar_is_one_line(voc, tmp_path):
    (voc / "Annotations" / "a.xml").write_text("<annotation><size>")
    with pytest.raises(ValueError, match=r"VOC2007/Annotations/a\.xml is no XML"):
        read_voc(packed(voc, tmp_path / "one.tar"))
    (voc / "JPEGImages" / "c.jpg").unlink()
    write_annotation(voc, "a", OBJECTS["a"])
    with pytest.raises(ValueError, match=r"no photograph .*one\.tar: VOC2007/JPEGImages/c\.jpg, which test\.txt names"):
        read_voc(packed(voc, tmp_path / "one.tar"))
    with pytest.raises(ValueError, match=r"two\.tar has 2 folders with ImageSets/Main/ in them, needed one"):
        read_voc(packed(voc, tmp_path / "two.tar", "other/ImageSets/Main/test.txt"))
    with tarfile.open(tmp_path / "small.tar.gz", "w:gz") as file:
        file.add(voc, "VOC2007")
    for name in ("small.tar.gz", "words.tar"):
        (tmp_path / "words.tar").write_text("words " * 999)
        with pytest.raises(ValueError, match=r"is neither a folder nor a \.tar that is not compressed .*extract it"):
            read_voc(tmp_path / name)


def test_a_link_in_a_tar_leads_nowhere(voc, tmp_path):
    (tmp_path / "secret.jpg").write_bytes((voc / "JPEGImages" / "a.jpg").read_bytes())
    (voc / "JPEGImages" / "c.jpg").unlink()
    (voc / "JPEGImages" / "c.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(ValueError, match=r"no photograph .*JPEGImages/c\.jpg"):
        read_voc(packed(voc, tmp_path / "one.tar"))


def test_a_photograph_that_cannot_be_read_says_so_when_it_is_asked_for_and_not_before(voc, tmp_path):
    (voc / "JPEGImages" / "b.jpg").write_bytes(b"\xff\xd8\xff" + bytes(99))
    (voc / "JPEGImages" / "c.jpg").write_bytes(b"")
    for where in (voc, packed(voc, tmp_path / "one.tar")):
        scenes = read_voc(where).scenes
        assert scenes[0].image.shape == (9, 7, 3)
        for n, said in ((1, r"b\.jpg cannot be read as JPEG"), (2, r"c\.jpg is empty")):
            with pytest.raises(ValueError, match=said):
                scenes[n].image   # noqa: B018


def draw_mask(voc, name, numbers):
    (voc / "SegmentationClass").mkdir(exist_ok=True)
    image = Image.fromarray(numbers.astype(np.uint8))
    image.putpalette([n % 256 for n in range(768)])
    image.save(voc / "SegmentationClass" / f"{name}.png")


def test_regions_are_the_pixels_of_a_mask_where_one_is_asked_for(voc, tmp_path):
    numbers = np.zeros((9, 7))
    numbers[2:4, 1:3], numbers[4, 4], numbers[0] = 2, 1, 255     # 1 is cat, 2 is dog, 255 is nobody's
    draw_mask(voc, "a", numbers)
    draw_mask(voc, "d", np.zeros((9, 7)))
    assert read_voc(voc).scenes[0].masks[1].sum() == 28 and read_voc(voc).explain == [0, 1, 3]
    for where in (voc, packed(voc, tmp_path / "one.tar")):
        read = read_voc(where, masks=True)
        assert read.explain == [0, 3] and read.title == "4 photographs of VOC2007, set test, regions drawn"
        assert np.argwhere(read.scenes[0].masks[1]).tolist() == [[2, 1], [2, 2], [3, 1], [3, 2]]
        assert np.argwhere(read.scenes[0].masks[0]).tolist() == [[4, 4]]
        assert read.scenes[3].masks[0].all()   # nothing of the cat is drawn: its box


def test_masks_that_are_none_are_said(voc):
    with pytest.raises(ValueError, match=r"SegmentationClass has no mask of a photograph of test\.txt"):
        read_voc(voc, masks=True)
    draw_mask(voc, "a", np.zeros((7, 9)))
    with pytest.raises(ValueError, match=r"a\.png is uint8 of shape \(7, 9\), needed the number of a class for"):
        read_voc(voc, masks=True).scenes[0].masks   # noqa: B018
