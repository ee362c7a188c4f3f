"""A Fisher pipeline is trained a photograph at a time as it would be with all in memory, and goes on where it ended."""

import json
import sqlite3

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.svm import SVC

from lrp_ref import load_model
from lrp_ref.command.cli import main
from lrp_ref.paper.precision import Collection
from lrp_ref.paper.scenes import CLASSES, bundled_photographs, generate
from lrp_ref.paper.train_fisher import VECTOR, Parts, Recipe, train_fisher

RECIPE = Recipe(components=5, gaussians=3, regions="2x1+1x1", step=16, descriptors=900, cost=2.0, seed=4)
RUN = {"what": "a test"}


class Broken:
    """A photograph that cannot be read."""

    def __init__(self, seen):
        self.labels, self.counted, self.masks = seen.labels, seen.counted, seen.masks

    @property
    def image(self):
        raise ValueError("no image")


@pytest.fixture(scope="module")
def scenes():
    found = generate(*bundled_photographs(), 24, 3)
    found[7] = Broken(found[7])
    return Collection("24 scenes", CLASSES, [str(n) for n in range(24)], found, range(24), {})


@pytest.fixture(scope="module")
def trained(scenes, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("trained") / "t.sqlite")
    with Parts(path, RUN) as parts:
        model = train_fisher(scenes, RECIPE, parts)
        return model, [*parts.rows(VECTOR)], parts.known(VECTOR, bad=True), path


def test_the_weights_are_those_of_svms_that_see_all_vectors_at_once(scenes, trained):
    model, kept, bad, _ = trained
    assert bad == [7] and len(kept) == 23 and model.classes == CLASSES
    below = len(model.chain.names) - 1
    good = [scene for n, scene in enumerate(scenes.scenes) if n != 7]
    x = [model.prepare(scene.image) for scene in good]
    vectors = np.concatenate([model.network(one.shape)[:below](one) for one in x])
    assert vectors.shape == (23, 3 * 2 * 3 * 5) and vectors.tobytes() == np.stack(kept).tobytes()
    for c in range(len(CLASSES)):
        svm = SVC(C=2.0, kernel="linear").fit(vectors.astype(np.float64), [scene.labels[c] for scene in good])
        # Two runs of libsvm that stop at 1e-3 of their optimum's conditions; the weights are then float32.
        np.testing.assert_allclose(model.chain["svm"].weight[:, c], svm.coef_[0], rtol=0, atol=2e-3)
        scores = [float(model.network(one.shape)(one)[0, c]) for one in x]
        np.testing.assert_allclose(scores, svm.decision_function(vectors), rtol=0, atol=5e-3)   # the same


def test_a_chunked_file_has_the_same_numbers_and_a_run_that_ended_goes_on(scenes, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("lrp_ref.paper.train_fisher.CHUNK", 7)   # 90 numbers in 13 rows
    path, done = str(tmp_path / "t.sqlite"), []
    add = Parts.add

    def ending(self, stage, position, *given):
        done.append((stage, position))
        add(self, stage, position, *given)
        if len(done) in (5, 30, 40):
            raise KeyboardInterrupt
    monkeypatch.setattr(Parts, "add", ending)
    for _ in range(3):
        with Parts(path, RUN) as parts, pytest.raises(KeyboardInterrupt):
            train_fisher(scenes, RECIPE, parts)
    with Parts(path, RUN) as parts:
        again = train_fisher(scenes, RECIPE, parts)
    assert len(done) == len(set(done)) == 48   # each photograph once for its sample, once for its vector
    assert sqlite3.connect(path).execute("select max(chunk) from parts").fetchone() == (12,)
    for name, layer in trained[0].chain:
        for key, values in layer.arrays().items():
            # Of other chunks the sums of products are rounded in another order.
            np.testing.assert_allclose(again.chain[name].arrays()[key], values, rtol=1e-4, atol=1e-5)
    with Parts(path, RUN) as parts:
        once_more = train_fisher(scenes, RECIPE, parts)
    assert all(one.tobytes() == other.tobytes() for (_, a), (_, b) in zip(again.chain, once_more.chain)
               for one, other in zip(a.arrays().values(), b.arrays().values()))


def test_a_class_that_all_have_or_none_and_too_few_descriptors_are_refused(scenes, tmp_path):
    few = Collection("two", CLASSES, ["a", "b"], scenes.scenes[:2], [0, 1], {})
    with Parts(str(tmp_path / "a.sqlite"), RUN) as parts, pytest.raises(ValueError, match="photographs with the class"):
        train_fisher(few, RECIPE, parts)
    poor = Recipe(components=5, gaussians=3, regions="1x1", step=64, descriptors=2)
    with Parts(str(tmp_path / "b.sqlite"), RUN) as parts, pytest.raises(ValueError, match=r"needed at least 5: more"):
        train_fisher(few, poor, parts)


# ---- The command ----


@pytest.fixture
def folder(tmp_path, monkeypatch, scenes):
    """Six scenes in VOC's layout, two classes."""
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (tmp_path / "voc" / part).mkdir(parents=True)
    names = "abcdef"
    for n, name in enumerate(names):
        Image.fromarray(scenes.scenes[n].image).save(tmp_path / "voc" / "JPEGImages" / f"{name}.jpg")
        kind = ("left", "right")[n % 2]
        (tmp_path / "voc" / "Annotations" / f"{name}.xml").write_text(
            f"<annotation><size><width>128</width><height>128</height></size><object><name>{kind}</name><bndbox>"
            "<xmin>1</xmin><ymin>1</ymin><xmax>60</xmax><ymax>60</ymax></bndbox></object></annotation>")
    sets = tmp_path / "voc" / "ImageSets" / "Main"
    (sets / "train.txt").write_text("\n".join(names))
    for k, kind in enumerate(("left", "right")):
        (sets / f"{kind}_train.txt").write_text("".join(f"{name} {1 if n % 2 == k else -1}\n"
                                                        for n, name in enumerate(names)))
    return tmp_path


SMALL = ["--set", "train", "--components", "4", "--gaussians", "2", "--regions", "1x1", "--step", "16",
         "--descriptors", "300", "--output", "m.npz", "--results", "t.sqlite"]


def test_a_trained_model_is_one_like_others(folder, capsys, monkeypatch):
    (folder / "voc" / "JPEGImages" / "f.jpg").write_bytes(b"\xff\xd8\xff" + bytes(50))
    assert main(["train-fv", "voc", *SMALL]) == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("trained on 5 photographs: 2 classes, ") and second == "model written to m.npz"
    assert third.startswith("1 of 6 photographs could not be used: f: ")
    assert load_model("m.npz").classes == ("left", "right") and "lrp-ref train-fv, 6 photographs of voc" in (
        load_model("m.npz").provenance)
    before = (folder / "m.npz").read_bytes()
    monkeypatch.setattr("lrp_ref.paper.train_fisher.attempt", lambda *_: pytest.fail("nothing is left to do"))
    assert main(["train-fv", "voc", *SMALL]) == 0 and (folder / "m.npz").read_bytes() == before
    capsys.readouterr()
    assert main(["evaluate", "voc", "--set", "train", "--model", "m.npz", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert list(said["unread"]) == ["f"] and said["models"]["m.npz"]["explained"] > 0


@pytest.mark.parametrize(("options", "said"), [
    (["--gaussians", "0"], "got --gaussians 0, needed at least 1"), (["--cost", "0"], "got --cost 0.0, needed"),
    (["--output", "m.txt"], "needed a name that ends in .npz"), (["--regions", "2y2"], "2y2"),
    (["--set", "val"], "no file")])
def test_wrong_options_are_one_line_before_the_work(folder, capsys, options, said):
    assert main(["train-fv", "voc", *SMALL, *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1 and not (folder / "t.sqlite").exists()


def test_another_recipe_is_refused_by_name(folder, capsys):
    assert main(["train-fv", "voc", *SMALL]) == 0
    assert main(["train-fv", "voc", *SMALL, "--gaussians", "3"]) == 2
    assert "holds results of another run (gaussians 2, now 3)" in capsys.readouterr().err
    assert main(["report", "t.sqlite"]) == 2
    assert "t.sqlite holds what train-fv has made, which no report is of" in capsys.readouterr().err
