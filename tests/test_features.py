"""Derived features: the files are what index.csv says, rows follow the items, the build script forgets the names."""

import dataclasses
import hashlib
import importlib.util
import json
import sys

import numpy as np
import pandas as pd
import pytest

from recsys_lib import datasets
from recsys_lib.paths import data_folder, repository_root

FOLDER = data_folder() / "features"
FILES = sorted(path.name for path in FOLDER.glob("*.npz"))
FIELDS = [tuple(name[:-4].rsplit("-", 1)) for name in FILES]
FILMS = [(name, field) for name, field in FIELDS if name.startswith("ml-")]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- the committed files ---------------------------------------------------------------------------------------


def test_the_index_lists_the_files_that_are_there():
    index = pd.read_csv(FOLDER / "index.csv")
    assert sorted(index["file"]) == FILES
    assert {path.name for path in FOLDER.iterdir()} == {"index.csv", *FILES}
    for _, line in index.iterrows():
        assert sha256(FOLDER / line["file"]) == line["sha256"], line["file"]


def test_the_files_are_small():
    assert sum((FOLDER / name).stat().st_size for name in FILES) < 8e6


@pytest.mark.parametrize("name, field", FIELDS)
def test_features_have_unit_rows_and_zeros_outside_the_mask(name, field):
    vectors, mask = datasets.features(name, field)
    line = pd.read_csv(FOLDER / "index.csv").set_index("file").loc[f"{name}-{field}.npz"]
    assert vectors.dtype == np.float32 and vectors.shape == (line["items"], line["columns"])
    assert mask.dtype == bool and mask.shape == (line["items"],) and mask.sum() == line["known"]
    assert np.linalg.norm(vectors[mask], axis=1) == pytest.approx(1, abs=2e-3)  # float16 on disk
    assert not vectors[~mask].any()


@pytest.mark.parametrize("name, field", FIELDS)
def test_the_files_hold_numbers_and_row_ids_only(name, field):
    with np.load(FOLDER / f"{name}-{field}.npz", allow_pickle=False) as stored:
        assert {key for key in stored.files if stored[key].dtype.kind not in "fib"} == {"item_ids"}


@pytest.mark.parametrize("field", sorted({field for _, field in FILMS}))
def test_the_card_says_what_the_index_says(field):
    (card,) = [
        line
        for line in (data_folder() / "README.md").read_text("utf-8").splitlines()
        if line.startswith(f"| `{field}` |")
    ]
    index = pd.read_csv(FOLDER / "index.csv").set_index("file")
    for name, cell in zip(("ml-100k", "ml-1m"), card.split("|")[-3:-1], strict=True):
        line = index.loc[f"{name}-{field}.npz"]
        kept = "" if line["variance_kept"] == 1 else f"{line['variance_kept']:.0%}".replace("%", " %")
        assert cell.strip().startswith(f"{line['known']:,}, {line['columns']:,}") and kept in cell


@pytest.mark.parametrize("name", sorted({name for name, field in FIELDS if field == "people"}))
def test_a_rare_person_weighs_more_than_a_common_one(name):
    vectors, _ = datasets.features(name, "people")
    members = vectors > 0
    counts = members.sum(axis=0)
    assert counts.min() >= 2  # someone in one film links it to no other
    idf = np.log(len(members) / counts) + 1
    for row in np.flatnonzero(members.sum(axis=1) > 1)[:50]:
        cast = np.flatnonzero(members[row])
        assert vectors[row, cast] == pytest.approx(idf[cast] / np.linalg.norm(idf[cast]), rel=1e-5)


@pytest.mark.data
@pytest.mark.parametrize("name", sorted({name for name, _ in FILMS}))
def test_rows_follow_the_items(name):
    item_ids = datasets.load(name).items.index.astype(str).tolist()
    for field in (field for other, field in FILMS if other == name):
        with np.load(FOLDER / f"{name}-{field}.npz") as stored:
            assert stored["item_ids"].tolist() == item_ids, field


@pytest.mark.parametrize("name, field", [("ml-100k", "budget"), ("womens-clothing", "plot"), ("ml-100k", "../index")])
def test_an_unknown_feature_names_what_there_is(name, field):
    with pytest.raises(ValueError) as error:
        datasets.features(name, field)
    assert "ml-100k-plot" in str(error.value) and "ml-1m-people" in str(error.value)
    assert "TextEncoder().encode(dataset.items['text'])" in str(error.value)


# --- vectors that others have published ------------------------------------------------------------------------------


def test_published_vectors_are_read_from_a_folder_or_a_file(tmp_path):
    published = {"1": [0.5, -1.0, 2.0], "3": [1.0, 0.0, 0.25], "77": [9.0, 9.0, 9.0]}
    for item, values in published.items():
        (tmp_path / f"{item}.json").write_text(json.dumps({item: values}, indent=4))
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "text_minilm.json").write_text(json.dumps(published))
    for path in (tmp_path, whole, whole / "text_minilm.json"):
        vectors, mask = datasets.read_features(path, pd.Index([3, 2, 1]))
        assert vectors.tolist() == [[1, 0, 0.25], [0, 0, 0], [0.5, -1, 2]] and mask.tolist() == [True, False, True]
        assert vectors.dtype == np.float32


@pytest.mark.parametrize(
    "files, message",
    [
        ({}, "no .json file"),
        ({"1.json": "[1, 2]"}, "not of the form"),
        ({"1.json": '{"1": [1, 2'}, "1.json is not of the form"),
        ({"1.json": '{"1": ["a"]}'}, "not of the form"),
        ({"1.json": '{"1": [[1], [2]]}'}, "item '1' is not a list of finite"),
        ({"1.json": '{"1": [NaN]}'}, "item '1' is not a list of finite"),
        ({"1.json": '{"1": [1, 2]}', "2.json": '{"2": [1]}'}, "item '2' has 1 numbers, not 2"),
        ({"1.json": '{"1": [1]}', "2.json": '{"1": [2]}'}, "item '1' comes twice"),
        ({"9.json": '{"9": [1]}'}, "none of the 2 item ids"),
    ],
)
def test_a_bad_published_file_is_named(tmp_path, files, message):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        datasets.read_features(tmp_path, [1, 2])


# --- the build script on a folder of twelve invented films -------------------------------------------------------

N_FILMS = 12
PEOPLE = [("Ann Alder", "Bo Birch, Cy Cedar"), ("Bo Birch", "Ann Alder, Di Dogwood"), ("N/A", "N/A")]


class Encoder:
    """Stands for TextEncoder and ImageEncoder: eight numbers from the bytes of a text or a file's name."""

    def encode(self, texts, progress=None):
        names = [text.rsplit("/", 1)[-1] for text in texts]
        seeds = [int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") for name in names]
        return np.array([np.random.default_rng(seed).normal(size=8) for seed in seeds], np.float32)


@pytest.fixture
def build(tiny, tmp_path, monkeypatch):
    """The script as a module, writing to a folder of the test, and a raw folder for it."""
    root = repository_root()
    if root is None:
        pytest.skip("the build script is part of the checkout")
    spec = importlib.util.spec_from_file_location("build_features", root / "data" / "build_features.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    items = tiny.items.iloc[:N_FILMS]
    titles = items["title"] + " (" + items["year"].astype(str) + ")"

    def load(name):
        table = items if name == "ml-100k" else items.set_axis(titles)
        return dataclasses.replace(tiny, name=name, items=table)

    monkeypatch.setattr(datasets, "load", load)
    monkeypatch.setattr(script, "TextEncoder", Encoder)
    monkeypatch.setattr(script, "ImageEncoder", Encoder)
    monkeypatch.setattr(script, "N_DIMENSIONS", 4)
    monkeypatch.setattr(script, "FOLDER", tmp_path / "features")

    raw = pd.DataFrame({"movie_id": items.index, "title": titles})
    raw["plot_omdb"] = [f"A plot that stays at home, number {i}." if i % 5 else "N/A" for i in range(N_FILMS)]
    raw["language"] = ["English, Klingon" if i == 3 else "English" for i in range(N_FILMS)]
    raw["director"], raw["actors"] = zip(*(PEOPLE[i % 3] for i in range(N_FILMS)), strict=True)
    raw = raw.iloc[::-1]  # rows are joined, not counted
    raw = raw[raw["movie_id"] != 2]
    folder = tmp_path / "raw"
    folder.mkdir()
    for name in ("ml-100k", "ml-1m"):
        raw.to_csv(folder / f"{name}_plots.csv", index=False)
    (folder / "posters").mkdir()
    for number in range(1, N_FILMS + 1, 2):
        (folder / "posters" / f"{number}.jpg").touch()

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["build_features.py", "--raw", str(folder), *arguments])
        script.main()
        return tmp_path / "features"

    return run, folder


def test_building_twice_gives_the_same_bytes(build):
    run, _ = build
    first = {path.name: path.read_bytes() for path in run().iterdir()}
    assert set(first) == {"index.csv", *(f"{name}-{field}.npz" for name, field in FILMS)}
    assert {path.name: path.read_bytes() for path in run().iterdir()} == first


def test_one_field_can_be_built_alone_and_leaves_the_other_lines(build):
    run, _ = build
    folder = run("--only", "language")
    assert pd.read_csv(folder / "index.csv")["file"].tolist() == ["ml-100k-language.npz", "ml-1m-language.npz"]
    index = pd.read_csv(run("--only", "people") / "index.csv")
    assert len(index) == 4
    assert [sha256(folder / name) for name in index["file"]] == index["sha256"].tolist()


def test_what_is_built_is_what_the_raw_rows_say(build, tmp_path, monkeypatch):
    run, _ = build
    folder = run()
    monkeypatch.setattr(datasets, "data_folder", lambda: tmp_path)
    for name in ("ml-100k", "ml-1m"):
        plots, known = datasets.features(name, "plot")
        # Film 2 (row 1) has no raw row; rows 0, 5, 10 have no plot.
        assert np.flatnonzero(~known).tolist() == [0, 1, 5, 10] and plots.shape == (N_FILMS, 4)
        people, known = datasets.features(name, "people")
        assert known.tolist() == [i % 3 != 2 and i != 1 for i in range(N_FILMS)]
        assert people.shape[1] == 4  # Ann, Bo, Cy, Di: two films or more each
        assert ((people > 0).sum(axis=1)[known] == 3).all()
        assert people[0] == pytest.approx(people[3]) and people[0] @ people[4] == pytest.approx(0.5, abs=0.2)
        languages, known = datasets.features(name, "language")
        assert languages[:, 0].tolist() == [float(i != 1) for i in range(N_FILMS)]  # one film in Klingon: left out
        posters, known = datasets.features(name, "poster")
        assert known.tolist() == [i % 2 == 0 for i in range(N_FILMS)] and posters.shape == (N_FILMS, 4)
        with np.load(folder / f"{name}-plot.npz") as stored:
            assert stored["item_ids"].tolist() == datasets.load(name).items.index.astype(str).tolist()


def test_names_and_plots_are_forgotten(build):
    run, _ = build
    run()
    for path in run().iterdir():
        arrays = np.load(path) if path.suffix == ".npz" else {"text": np.array([path.read_text()])}
        for array in (arrays[key] for key in arrays):
            content = array.tobytes() + " ".join(map(str, array.ravel())).encode()  # as numbers, and as letters
            for word in ("Alder", "Birch", "Klingon", "stays at home"):
                assert word.encode() not in content and word.encode("utf-32-le") not in content, path.name


def test_the_unmatched_title_is_reported(build, capsys):
    build[0]()
    printed = capsys.readouterr().out
    assert "ml-100k: 1 of 12 items have no raw text: [2]" in printed
    assert "ml-1m: 1 of 12 items have no raw text: ['Film 2 (1981)']" in printed


def test_missing_posters_are_reported(build, capsys):
    run, folder = build
    run("--only", "poster")
    assert "ml-1m: 6 of 12 items have a poster; 1 titles are not" in capsys.readouterr().out
    for path in (folder / "posters").iterdir():
        path.unlink()
    with pytest.raises(SystemExit, match="posters holds no .jpg file"):
        run("--only", "poster")


def test_a_missing_folder_is_one_clear_error(build):
    run, folder = build
    with pytest.raises(SystemExit, match="ml-100k_plots.csv is not there. --raw must name a folder"):
        run("--raw", str(folder / "nowhere"))


def test_a_missing_column_is_one_clear_error(build):
    run, folder = build
    path = folder / "ml-1m_plots.csv"
    pd.read_csv(path).drop(columns=["director", "language"]).to_csv(path, index=False)
    with pytest.raises(SystemExit, match=r"ml-1m_plots.csv lacks the columns \['director', 'language'\]"):
        run()
