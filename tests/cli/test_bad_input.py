"""Bad input gives one line and exit code 2; nothing is written, the input stays as it is."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

CLASSIFY = "freeze text_classifier out --freeze hidden"
ROWS = "freeze text_classifier out"
TIED = "freeze tied_softmax out --vocab embedding=tied_softmax/vocab.txt"
CASES = {
    "no such file": ("show text_clasifier", "did you mean text_classifier"),
    "no graph": ("show README.txt", "README.txt: not a graph"),
    "an empty file": ("show empty.pb", "empty.pb: not a graph (it is empty)"),
    "a truncated file": ("show cut.meta", "cut.meta: truncated or damaged"),
    "a shard": ("show text_classifier/model.ckpt.index", "give the checkpoint's prefix"),
    "a folder of nothing": ("show nothing", "a folder without a 'checkpoint' file"),
    "a scope that matches nothing": (
        "show text_classifier --scope hiden",
        "pattern 'hiden' matches no variable; did you mean hidden",
    ),
    "a pattern that matches nothing": (
        "freeze bert_tiny out --freeze bert/encoder/layer_12",
        "pattern 'bert/encoder/layer_12' matches no variable; did you mean bert/encoder/layer_",
    ),
    "a bad pattern": ("freeze bert_tiny out --freeze a[", "bad pattern 'a['"),
    "an empty pattern": ("freeze bert_tiny out --freeze=", "'**' matches every variable"),
    "rows out of range": (
        "freeze text_classifier out --freeze-rows word_embedding=0:1001",
        "rows '0:1001' lie outside 'word_embedding', which has 1,000 rows",
    ),
    "rows without a variable": (
        "freeze text_classifier out --freeze-rows 0:10",
        "invalid value for '--freeze-rows': '0:10' is not VAR=ROWS",
    ),
    "rows both frozen and trained": (
        "freeze text_classifier out --freeze-rows word_embedding=:9 --train-rows word_embedding=8",
        "rows 8:9 of 'word_embedding' are both frozen and trained",
    ),
    "columns out of range": (
        f"{ROWS} --freeze-columns word_embedding=16",
        "columns '16' lie outside 'word_embedding', which has 16 columns",
    ),
    "columns without a variable": (
        f"{ROWS} --freeze-columns word_embedding=",
        "'word_embedding=' is not VAR=COLS, as in 'embedding=0:1000,-5:'",
    ),
    "a mask of another shape": (
        f"{ROWS} --freeze-elements word_embedding=short.npy",
        "short.npy: the mask has shape [7, 3], which does not broadcast to [1000, 16] of 'word_emb",
    ),
    "a mask of numbers": (
        f"{ROWS} --freeze-elements word_embedding=factors.npy",
        "factors.npy: the mask for 'word_embedding' is float64 and must be bool",
    ),
    "no mask": (
        f"{ROWS} --freeze-elements word_embedding=nope.npy",
        "nope.npy: no such file or folder",
    ),
    "a mask that is a folder": (
        f"{ROWS} --freeze-elements word_embedding=nothing",
        "nothing: cannot be read (Is a directory)",
    ),
    "a mask without a variable": (
        f"{ROWS} --freeze-elements short.npy",
        "'short.npy' is not VAR=NPY, as in 'embedding=mask.npy'",
    ),
    "two masks for a variable": (
        f"{ROWS} --freeze-elements word_embedding=a.npy --freeze-elements word_embedding=b.npy",
        "'--freeze-elements': 'word_embedding' is given twice, 'a.npy' and 'b.npy'",
    ),
    "factors outside of 0 and 1": (
        f"{ROWS} --row-scale word_embedding=factors.npy",
        "factors.npy: the factor of row 999 of 'word_embedding' is 2; factors lie in [0, 1]",
    ),
    "words without a vocabulary": (
        f"{ROWS} --freeze-words word_embedding=words.txt",
        "words of 'word_embedding' need its vocabulary; add --vocab word_embedding=vocab.txt",
    ),
    "no such words": (f"{TIED} --freeze-words embedding=word.txt", "did you mean words.txt"),
    "words without a path": (
        f"{TIED} --train-words embedding=",
        "'embedding=' is not VAR=FILE, as in 'embedding=words.txt'",
    ),
    "missing words": (
        f"{TIED} --freeze-words embedding=words.txt",
        "words.txt: 1 of 2 words are not in tied_softmax/vocab.txt: 'fibula'",
    ),
    "two vocabularies": (
        f"{TIED} --vocab embedding=words.txt",
        "'embedding' is given twice, 'tied_softmax/vocab.txt' and 'words.txt'",
    ),
    "no vectors": (f"{TIED} --vectors embedding=words.txt", "words.txt: no word vectors to read"),
    "a strategy that is none": (
        f"{ROWS} --row-strategy over",
        "invalid value for '--row-strategy': 'over' is not one of 'mask', 'overlay'",
    ),
    "a kernel that is none": (f"{ROWS} --mask-kernel mul", "is not one of 'auto', 'multiply', "),
    "a partition that is none": (f"{ROWS} --partition x", "'x' is not one of 'mod', 'div'"),
    "an overlay of columns": (
        f"{ROWS} --freeze-columns word_embedding=1 --freeze-rows word_embedding=1 "
        "--row-strategy overlay",
        "--row-strategy overlay keeps whole rows",
    ),
    "an overlay of nothing": (
        f"{CLASSIFY} --row-strategy overlay",
        "--row-strategy has no meaning without --freeze-rows, --train-rows, --freeze-words or --tr",
    ),
    "a kernel for nothing": (
        f"{CLASSIFY} --mask-kernel select",
        "--mask-kernel has no meaning without --freeze-rows, ",
    ),
    "a kernel under an overlay": (
        f"{ROWS} --freeze-rows word_embedding=1 --row-strategy overlay --mask-kernel select",
        "--mask-kernel has no meaning with --row-strategy overlay",
    ),
    "a vocabulary for nothing": (
        f"{TIED} --freeze hidden",
        "--vocab has no meaning without --freeze-words, --train-words, --add-words or --vectors",
    ),
    "missing words of nothing": (
        f"{CLASSIFY} --missing-words ignore",
        "--missing-words has no meaning without --freeze-words or --train-words",
    ),
    "a partition for nothing": (f"{CLASSIFY} --partition mod", "--partition has no meaning with"),
    "a mask of nothing": (
        f"{ROWS} --freeze-elements word_embedding=none.npy",
        "nothing is left to freeze after all exceptions, masks and factors",
    ),
    "an overlay in a graph file": (
        "freeze text_classifier out.pb --freeze-rows word_embedding=1 --row-strategy overlay",
        "word_embedding/graphfreeze/rows",
    ),
    "a part of a variable": (
        "freeze partitioned_mod out --freeze-rows table/part_0=1",
        "'table/part_0' is one part of the partitioned variable 'table'; name 'table'",
    ),
    "everything frozen": ("freeze text_classifier out --freeze **", "all 5 variables are frozen"),
    "nothing left to freeze": (
        "freeze text_classifier out --freeze hidden --except hidden",
        "nothing is left to freeze",
    ),
    "no such tensor": (
        "freeze text_classifier out --stop-gradient hidden/Relo",
        "the graph has no tensor 'hidden/Relo'; did you mean hidden/Relu",
    ),
    "a loss that is none": (
        f"{CLASSIFY} --loss output/BiasAd",
        "the graph has no tensor 'output/BiasAd' to take as the loss; did you mean output/BiasAdd",
    ),
    "a loss that is no name": (f"{CLASSIFY} --loss a:b", "the graph has no tensor 'a:b'"),
    "a loss of integers": (f"{CLASSIFY} --loss ids", "'ids' (op Placeholder, int32)"),
    "a loss in doubt": ("freeze conv_bn out --freeze bn*", "3 tensors could be the loss: "),
    "no loss": ("freeze bare_graph/graph.pb out --freeze table", "it may be loss:0"),
    "an unknown optimizer": (
        f"{CLASSIFY} --optimizer adm",
        "no optimizer 'adm'; did you mean adam",
    ),
    "no learning rate": (f"{CLASSIFY} --optimizer sgd", "give one with --learning-rate"),
    "a learning rate below 0": (f"{CLASSIFY} --learning-rate -1", "-1 is no positive number"),
    "a learning rate of nan": (f"{CLASSIFY} --learning-rate nan", "nan is no positive number"),
    "no number": (f"{CLASSIFY} --learning-rate x", "'x' is not a valid float"),
    "a loss for a graph file": (
        "freeze text_classifier out.pb --freeze hidden --loss loss:0",
        "--loss needs a bundle: the graph file out.pb carries no train_op",
    ),
    "loops for a graph without contexts": (
        "freeze frozen_recurrent/graph.pb out.pb --no-backprop rnn/while/while_context",
        "--no-backprop needs contexts, which out.pb does not hold; give OUT without a suffix",
    ),
    "a frame that no loop has": (
        "freeze frozen_recurrent/graph.pb out.meta --no-backprop rnn/whlie/while_context",
        "no v1 loop without a context has the frame 'rnn/whlie/while_context'; did you mean rnn/w",
    ),
    "an optimizer for nothing": (
        f"{CLASSIFY} --no-train-op --optimizer sgd",
        "--optimizer has no meaning with --no-train-op",
    ),
    "a form that nobody writes": (
        f"{CLASSIFY} --also savedmodel,tflite",
        "invalid value for '--also': 'tflite' is none of savedmodel, pb, pbtxt",
    ),
    "more forms beside one file": (
        "freeze text_classifier out.pb --freeze hidden --also savedmodel",
        "--also needs a bundle: out.pb is one file; give OUT without a suffix",
    ),
    "more forms of a dry run": (
        f"{CLASSIFY} --also pb --dry-run",
        "--also has no meaning with --dry-run, which writes nothing",
    ),
    "OUT exists": ("freeze conv_bn taken --freeze bn* --loss total", "taken: already exists"),
    "OUT is a folder": ("freeze conv_bn taken.pb --freeze bn* --force", "is of another kind"),
    "OUT is no bundle": (
        "freeze conv_bn full --freeze bn* --loss total --force",
        "full: a folder that is no bundle and not empty",
    ),
    "OUT is the current folder": ("freeze conv_bn . --freeze bn* --force", "is or holds the input"),
    "OUT is the prefix": (
        "freeze conv_bn/model.ckpt conv_bn/model.ckpt --freeze bn*",
        "is or holds the input",
    ),
    "OUT is the input": (
        "freeze text_classifier text_classifier --freeze hidden --force",
        "is or holds the input",
    ),
    "OUT is the input's file": (
        "freeze bare_graph/graph.pb bare_graph/graph.pb --freeze table --force",
        "is or holds the input",
    ),
    "OUT has no folder": ("freeze conv_bn no/out --freeze bn*", "create it first"),
    "OUT is missing": ("freeze conv_bn --freeze bn*", "missing argument 'OUT'"),
    "no checkpoint": (
        "freeze alone.pb out --freeze table --loss loss:0",
        "alone.pb: no checkpoint to make a bundle from",
    ),
    "no such checkpoint": (f"{CLASSIFY} --checkpoint nope", "nope: no checkpoint here"),
    "no such option": ("freeze --freez a b", "no such option '--freez'; did you mean "),
    "no such command": ("shw a", "no such command 'shw'; did you mean 'show'"),
    "an option without a value": ("show a --scope", "'--scope' requires an argument"),
    "too much": ("show a b", "unexpected extra argument (b); see 'graphfreeze show --help'"),
}


@pytest.fixture
def place(models: Path) -> Path:
    meta = (models / "text_classifier/model.ckpt.meta").read_bytes()
    (models / "cut.meta").write_bytes(meta[: len(meta) // 2])
    (models / "README.txt").write_text("Hello.\n")
    (models / "empty.pb").write_bytes(b"")
    for name in ("nothing", "taken", "taken.pb", "far"):
        (models / name).mkdir()
    (models / "full").mkdir()
    (models / "full" / "mine.txt").write_text("mine")
    np.save(models / "short.npy", np.ones((7, 3), np.bool_))
    np.save(models / "none.npy", np.zeros((1000, 16), np.bool_))
    np.save(models / "factors.npy", np.linspace(0, 1, 1000) // 1 * 2)
    (models / "words.txt").write_text("aorta\nfibula\n")
    alone = models / "alone.pb"
    alone.write_bytes((models / "bare_graph/graph.pb").read_bytes())
    return models


def snapshot(folder: Path) -> dict[str, str]:
    paths = sorted(folder.rglob("*"))
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in paths
    }


@pytest.mark.parametrize(("line", "told"), CASES.values(), ids=CASES)
def test_one_line(run, place: Path, line: str, told: str) -> None:
    before = snapshot(place)
    code, out, err = run(*line.split())
    assert (code, out) == (2, "")
    assert err.startswith("graphfreeze: error: ")
    assert told in err
    assert err.count("\n") == 1
    assert snapshot(place) == before


def test_a_bundle_is_not_frozen_again(run, models: Path) -> None:
    assert run("freeze", "text_classifier", "one", "--freeze", "hidden", "--no-train-op")[0] == 0
    code, _, err = run("freeze", "one", "two", "--freeze", "output")
    assert (code, "already a graphfreeze bundle" in err) == (2, True)
    code, _, err = run("freeze", "one", "one/two", "--freeze", "output")
    assert (code, "lies inside the input" in err) == (2, True)


@pytest.mark.parametrize(
    "options", [["--dry-run"], ["--no-train-op"], ["--no-train-op", "--dry-run"]]
)
def test_a_shard_is_cut_off(run, models: Path, options: list[str]) -> None:
    shard = models / "text_classifier" / "model.ckpt.data-00000-of-00001"
    shard.write_bytes(shard.read_bytes()[:-1])
    code, out, err = run(*CLASSIFY.split(), *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "its data file model.ckpt.data-00000-of-00001 has " in err
    assert not (models / "out").exists()


def test_what_the_system_refuses_is_one_line(run, models: Path) -> None:
    code, _, err = run("freeze", "conv_bn", f"{'long' * 80}.pb", "--freeze", "bn*")
    assert (code, err.count("\n"), err[-20:]) == (2, 1, ": File name too long\n"[-20:])


def test_line_breaks_of_the_user_stay_out(run, models: Path) -> None:
    code, _, err = run("show", "a\nb")
    assert (code, err.count("\n")) == (2, 1)
