import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from pipeline.analysis import Analyst
from pipeline.classifier import Reading
from pipeline.errors import SettingsError
from pipeline.sentiment import Feeling
from pipeline.triage import Urgency
from pipeline.triage.grave import grave
from pipeline.triage.judge import Effort, Triage
from pipeline.triage.model import HEADS, QUESTIONS
from pipeline.triage.second import LARGE, READ, SMALL, Encoder, Folder, Opinion, named
from tests.pipeline.triage import tiny

ANY = st.text(st.characters(exclude_categories=()), max_size=300)
SAID = st.lists(
    st.sampled_from(["parcel", "broken", "love", "late", "what", "https://a.example/b", "[SEP]"]), max_size=30
)


def read(text: str, title: str | None = None, rating: float | None = None) -> Reading:
    return Reading(key="k", text=text, title=title, rating=rating)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tiny.folder(tmp_path_factory.mktemp("models") / "small", tokens=16, stars=True))


def best(opinion: Opinion, head: str) -> str:
    chances = opinion.chances[head]
    return str(HEADS[head][max(range(len(chances)), key=chances.__getitem__)])


@pytest.mark.parametrize("by_token", [True, False])
def test_a_folder_answers_the_heads_it_names_by_what_its_model_says(tmp_path: Path, *, by_token: bool) -> None:
    folder = Folder(tiny.folder(tmp_path, by_token=by_token))
    angry, happy = folder.opinions([read("my parcel is broken"), read("I LOVE it")])
    assert set(angry.chances) == set(tiny.THREE)
    assert [best(angry, head) for head in tiny.THREE] == ["service", "yes", "negative"]
    assert [best(happy, head) for head in tiny.THREE] == ["experience", "no", "positive"]
    for head, chances in angry.chances.items():
        assert len(chances) == len(HEADS[head])
        assert sum(chances) == pytest.approx(1)


@pytest.mark.parametrize("by_token", [True, False])
def test_the_order_of_answers_and_heads_in_the_file_is_free(tmp_path: Path, *, by_token: bool) -> None:
    turned = {head: told[::-1] for head, told in reversed(tiny.answers().items())}
    said = [read("my parcel is broken"), read("love it"), read("so late")]
    one = Folder(tiny.folder(tmp_path / "one", by_token=by_token)).opinions(said)
    other = Folder(tiny.folder(tmp_path / "other", turned, by_token=by_token)).opinions(said)
    assert [opinion.chances for opinion in one] == [opinion.chances for opinion in other]


def test_a_model_that_answers_token_by_token_says_what_each_word_adds(tmp_path: Path) -> None:
    folder = Folder(tiny.folder(tmp_path, temperature={"lane": 2.0}))
    (opinion,) = folder.opinions([read("my  parcel\n is broken")])
    lane = list(HEADS["lane"])
    service, noise = lane.index("service"), lane.index("noise")
    added = opinion.shares["lane"]
    assert added.shape == (4, 3)
    words = [("my  parcel\n is broken")[start:end] for start, end in opinion.spans]
    assert words[int(added[:, service].argmax())] == "broken"
    lead = np.log(opinion.chances["lane"][service]) - np.log(opinion.chances["lane"][noise])
    assert added[:, service].sum() - added[:, noise].sum() == pytest.approx(lead, abs=1e-4)


def test_a_model_that_answers_for_the_whole_text_gives_no_shares_and_still_counts(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path, by_token=False)
    assert Folder(folder).opinions([read("broken")])[0].shares == {}
    (verdict,) = Triage(Effort.ACCURATE, classifier=str(folder)).classify([read("broken")])
    assert verdict.complaint


def test_a_temperature_moderates_a_head_and_no_other(tmp_path: Path) -> None:
    bold = Folder(tiny.folder(tmp_path / "bold")).opinions([read("broken")])[0].chances
    mild = Folder(tiny.folder(tmp_path / "mild", temperature={"lane": 3.0})).opinions([read("broken")])[0].chances
    assert 1 / 3 < max(mild["lane"]) < max(bold["lane"])
    assert mild["complaint"] == bold["complaint"]


def test_trust_says_how_much_it_counts_beside_the_fast_model(tmp_path: Path) -> None:
    said = [read("Absolutely broken, love it, so late."), read("Where is my parcel?")]
    fast = Triage(Effort.FAST).chances(said)
    for trust in (0.0, 0.5, 1.0):
        path = tiny.folder(tmp_path / str(trust), trust=dict.fromkeys(tiny.THREE, trust))
        own = Folder(path).opinions(said)
        found = Triage(Effort.ACCURATE, classifier=str(path)).chances(said)
        for mixed, ours, theirs in zip(found, fast, own, strict=True):
            assert mixed["category"] == ours["category"]  # which it does not answer
            for head in tiny.THREE:
                blend = np.array(ours[head]) ** (1 - trust) * np.array(theirs.chances[head]) ** trust
                assert mixed[head] == pytest.approx(blend / blend.sum(), abs=1e-4)


def test_a_model_hears_a_grave_signal_that_no_phrase_tells(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path, tiny.answers((*tiny.THREE, "grave")), trust={"sentiment": 0.0})
    said = read("My parcel is broken")
    assert grave(said.words) == []
    (found,) = Analyst(Effort.ACCURATE, classifier=str(folder)).analyse([said])
    assert (found.grave, found.needs_reply, found.urgency) == (["injury"], True, Urgency.CRITICAL)
    (reason,) = (reason for reason in found.reasons if reason.field == "grave")
    assert (reason.text, reason.start, reason.end) == ("broken", 13, 19)


def test_what_phrases_tell_stands_whatever_a_model_hears(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path, tiny.answers((*tiny.THREE, "grave")), trust={"sentiment": 0.0})
    said = [read("A broken parcel. I will sue you."), read("I broke my wrist on your stairs. love love love love")]
    found = Analyst(Effort.ACCURATE, classifier=str(folder)).analyse(said)
    assert [one.grave for one in found] == [["legal"], ["injury"]]


def test_in_surely_glad_words_and_where_it_is_not_trusted_a_model_hears_nothing(tmp_path: Path) -> None:
    heads = tiny.answers((*tiny.THREE, "grave"))
    for name, trust, heard in (("heard", {"grave": 0.1}, ["injury"]), ("not", {"grave": 0.0}, [])):
        analyst = Analyst(Effort.ACCURATE, classifier=str(tiny.folder(tmp_path / name, heads, trust=trust)))
        broken, glad = analyst.analyse([read("parcel is broken"), read("broken love love love")])
        assert broken.grave == heard
        assert (glad.sentiment, glad.grave) == (Feeling.POSITIVE, [])


def test_a_model_that_cannot_say_which_words_names_the_signal_alone(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path, tiny.answers(("grave",)), by_token=False)
    (found,) = Analyst(Effort.ACCURATE, classifier=str(folder)).analyse([read("My parcel is broken")])
    assert found.grave == ["injury"]
    assert not [reason for reason in found.reasons if reason.field == "grave"]


def test_where_no_trust_is_given_it_decides_alone(tmp_path: Path) -> None:
    assert Folder(tiny.folder(tmp_path, trust={"lane": 0.25})).trust == {
        "lane": 0.25,
        "complaint": 1.0,
        "sentiment": 1.0,
    }


@settings(deadline=None, max_examples=50)
@given(said=st.lists(SAID.map(" ".join), max_size=8))
def test_a_text_keeps_its_answer_in_any_company(small: Folder, said: list[str]) -> None:
    readings = [read(text) for text in said]
    together = small.opinions(readings)
    assert [opinion.chances for opinion in together] == [small.opinions([one])[0].chances for one in readings]


def test_an_eight_bit_model_given_two_texts_at_a_call_answers_by_the_company(tmp_path: Path) -> None:
    # Why one text is read at a call: were this not so, the test above would prove nothing.
    path = tiny.folder(tmp_path)
    session = onnxruntime.InferenceSession(str(path / "model.onnx"), providers=["CPUExecutionProvider"])
    late, love = tiny.WORDS.index("late"), tiny.WORDS.index("love")
    calls = [np.array(ids, dtype=np.int64) for ids in ([[late]], [[late], [love]])]
    alone, beside = (session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0] for ids in calls)
    assert np.abs(alone - beside).max() > 0.01


def test_the_number_of_texts_read_side_by_side_changes_no_answer(tmp_path: Path) -> None:
    path = tiny.folder(tmp_path)
    said = [read(" ".join(["late", "broken", "love", "what"][at % 4 :] * (1 + at % 7))) for at in range(60)]
    one, many = (Folder(path, threads=threads).opinions(said) for threads in (1, 4))
    assert [opinion.chances for opinion in one] == [opinion.chances for opinion in many]


@settings(deadline=None, max_examples=200)
@given(text=ANY, title=st.none() | ANY, stars=st.none() | st.integers(1, 5))
def test_any_text_at_all_gives_an_answer_and_true_spans(
    small: Folder, text: str, title: str | None, stars: int | None
) -> None:
    reading = read(text, title=title, rating=stars)
    (opinion,) = small.opinions([reading])
    for chances in opinion.chances.values():
        assert sum(chances) == pytest.approx(1)
    said = [reading.words[start:end] for start, end in opinion.spans]
    assert said == reading.words[:READ].split()
    for shares in opinion.shares.values():
        assert len(shares) == len(said)
        assert np.isfinite(shares).all()


@pytest.mark.parametrize(
    "text",
    [
        "\ud83d broken \udc00",
        "\0\0 broken",
        "broken \u202eمتأخر\u202c",
        "👍🏽 broken 👨‍👩‍👧",
        "broken \ufdfa",
        "\u00a0broken\u3000",
    ],
    ids=["half a character", "nul", "right to left", "emoji", "a ligature of eighteen letters", "wide blanks"],
)
def test_strange_signs_leave_the_words_beside_them_their_say(small: Folder, text: str) -> None:
    (opinion,) = small.opinions([read(text)])
    assert best(opinion, "lane") == "service"
    words = [text[start:end] for start, end in opinion.spans]
    assert "broken" in words[int(opinion.shares["complaint"][:, 1].argmax())]


@pytest.mark.parametrize("text", ["", " \n\t ", "\u3000"])
def test_where_nothing_was_said_nothing_is_answered(small: Folder, text: str) -> None:
    assert small.opinions([read(text)])[0] == Opinion({})


def test_stars_are_read_before_the_words_and_alone(tmp_path: Path) -> None:
    starred, plain = (Folder(tiny.folder(tmp_path / str(stars), stars=stars)) for stars in (True, False))
    rated = read("fine", rating=1.0)
    assert best(starred.opinions([rated])[0], "sentiment") == "negative"
    assert best(starred.opinions([read("", rating=1.0)])[0], "sentiment") == "negative"
    assert starred.opinions([rated])[0].spans == [(0, 4)]
    assert np.abs(starred.opinions([rated])[0].shares["sentiment"]).max() == 0  # the word says nothing, the stars all
    assert plain.opinions([rated])[0].chances == plain.opinions([read("fine")])[0].chances
    assert plain.opinions([read("", rating=1.0)])[0] == Opinion({})


@pytest.mark.parametrize(
    "text", ["x" * 100_000, "love " * 20_000, "\U0001f44d" * 100_000, "a\ud800 " * 33_333, " " * 100_000]
)
def test_a_hundred_thousand_characters_are_read_within_a_second(small: Folder, text: str) -> None:
    started = time.perf_counter()
    (opinion,) = small.opinions([read(text)])
    assert time.perf_counter() - started < 1
    assert all(end <= READ for _, end in opinion.spans)


def test_of_a_long_text_the_beginning_and_the_end_are_read(small: Folder) -> None:
    text = "parcel " + "what " * 100 + "love " + "what " * 100 + "broken"
    (opinion,) = small.opinions([read(text)])
    complaint = opinion.shares["complaint"][:, 1]
    said = [text[start:end] for start, end in opinion.spans]
    assert said[int(complaint.argmax())] == "broken"
    assert complaint[said.index("love")] == 0  # in the middle: not read
    assert best(opinion, "complaint") == "yes"


def test_a_link_is_a_link_and_a_sign_of_the_tokenizer_is_a_word(small: Folder) -> None:
    encoder = small._encoder  # noqa: SLF001 - what the model is given
    link, end = tiny.WORDS.index("link"), tiny.WORDS.index("[SEP]")
    assert encoder.encode(read("https://shop.example/broken/love"), stars=False).ids[1:-1] == [link]
    assert encoder.encode(read("parcel [SEP] love"), stars=False).ids.count(end) == 1


def _bytes_tokenizer() -> Tokenizer:
    """As RoBERTa's: pieces of words as bytes, the blank before a word belonging to it."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        ["the parcel is late"] * 9, trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    )
    return made


def _pieces_tokenizer() -> Tokenizer:
    """As XLM-RoBERTa's: pieces of a sentence, with a sign for each blank."""
    made = Tokenizer(
        models.Unigram([("<unk>", 0.0), ("▁", -2.0), ("▁the", -1.0), *((sign, -5.0) for sign in "abcdefgh")], unk_id=0)
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    return made


@settings(deadline=None)
@given(text=st.text(max_size=80))
def test_each_token_knows_its_word_however_words_are_cut(text: str) -> None:
    tokenizer = _BYTES
    encoder = Encoder(tokenizer.to_str().encode(), 4096, Path("folder"))
    encoded = encoder.encode(read(text), stars=False)
    for at, word in enumerate(text.split()):
        ids = [number for number, place in zip(encoded.ids, encoded.words, strict=True) if place == at]
        assert tokenizer.decode(ids).strip() == (word if not re.match(r"(?i)https?://|www\.", word) else "link").strip()


_BYTES = _bytes_tokenizer()


def test_a_tokenizer_of_sentence_pieces_gives_each_word_its_own_tokens() -> None:
    encoder = Encoder(_pieces_tokenizer().to_str().encode(), 64, Path("folder"))
    encoded = encoder.encode(read("the  bad egg"), stars=False)
    assert set(encoded.words.tolist()) == {0, 1, 2}
    assert sorted(encoded.words.tolist()) == encoded.words.tolist()
    assert encoded.spans == [(0, 3), (5, 8), (9, 12)]


def _write(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda path: (path / name).write_bytes(content) and None


def _tell(**told: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        file = path / "heads.json"
        file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | told), encoding="utf-8")

    return change


def _cut(path: Path) -> None:
    content = (path / "model.onnx").read_bytes()
    (path / "model.onnx").write_bytes(content[: len(content) // 2])


def _strange_input(path: Path) -> None:
    model = onnx.load(path / "model.onnx")
    model.graph.input.append(onnx.helper.make_tensor_value_info("pixel_values", onnx.TensorProto.FLOAT, [1]))
    onnx.save(model, path / "model.onnx")


def _other_vocabulary(path: Path) -> None:
    larger = tiny.tokenizer()
    larger.add_tokens(["warranty"])
    larger.save(str(path / "tokenizer.json"))


FAULTS: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "no heads": (lambda path: (path / "heads.json").unlink(), "heads.json is missing"),
    "no model": (lambda path: (path / "model.onnx").unlink(), "model.onnx is missing"),
    "no tokenizer": (lambda path: (path / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    "heads are no JSON": (_write("heads.json", b'{"heads": '), "heads.json: Invalid JSON"),
    "heads are empty": (_tell(heads={}), "heads.json: heads: Dictionary should have at least 1 item"),
    "heads are not named": (_write("heads.json", b"{}"), "heads.json: heads: Field required"),
    "a key we do not know": (_tell(temprature={}), "heads.json: temprature: Extra inputs are not permitted"),
    "a head we do not know": (_tell(heads={"mood": ["good"]}), '"mood" is no question of ours; there are: lane, compl'),
    "an answer is missing": (_tell(heads={"complaint": ["yes"]}), 'the answers to "complaint" must be no, yes'),
    "an answer comes twice": (
        _tell(heads={"complaint": ["no", "yes", "yes"]}),
        'answers to "complaint" must be no, yes',
    ),
    "trust above 1": (_tell(trust={"lane": 1.5}), "trust: lane: Input should be less than or equal to 1"),
    "trust in no head of its own": (_tell(trust={"factor": 0.5}), '"factor" is not among its heads'),
    "a temperature of 0": (_tell(temperature={"lane": 0}), "temperature: lane: Input should be greater than 0"),
    "another width": (_tell(heads=tiny.answers(["lane"])), r"numbers of shape \(1, 8\).*heads.json names 3 answers"),
    "a damaged model": (_cut, "model.onnx cannot be read as ONNX"),
    "no model at all": (
        _write("model.onnx", b"version https://git-lfs.github.com/spec/v1"),
        "model.onnx cannot be read as",
    ),
    "a damaged tokenizer": (_write("tokenizer.json", b'{"version": "1.0"'), "tokenizer.json cannot be read"),
    "another model's tokenizer": (_other_vocabulary, "model.onnx cannot read 1 tokens made by tokenizer.json"),
    "more tokens than the model can": (_tell(tokens=8192), "model.onnx cannot read 8192 tokens"),
    "an input we cannot give": (_strange_input, "model.onnx asks for pixel_values, which is not given"),
    "another file than the one described": (_tell(sha256={"model.onnx": "0" * 64}), "model.onnx is not the file that"),
    "a described file that is not there": (_tell(sha256={"model.onnx_data": "0" * 64}), "model.onnx_data is missing"),
    "a hash that is none": (_tell(sha256={"model.onnx": "abc"}), "sha256: model.onnx: String should match pattern"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_that_cannot_work_is_refused_by_the_name_of_the_file_and_with_a_mend(
    tmp_path: Path, fault: str
) -> None:
    damage, message = FAULTS[fault]
    path = tiny.folder(tmp_path / "mine", longest=2000)
    damage(path)
    with pytest.raises(SettingsError, match=message) as caught:
        named(str(path))
    assert str(path) in str(caught.value)
    assert "docs/classifiers.md" in str(caught.value)


def test_hashes_that_fit_are_accepted(tmp_path: Path) -> None:
    path = tiny.folder(tmp_path)
    files = ("model.onnx", "tokenizer.json")
    _tell(sha256={name: hashlib.sha256((path / name).read_bytes()).hexdigest() for name in files})(path)
    assert Folder(path).opinions([read("broken")])


def test_the_version_changes_with_each_file_and_stays_with_the_same_content(tmp_path: Path) -> None:
    first = Folder(tiny.folder(tmp_path / "a")).version
    assert Folder(tiny.folder(tmp_path / "b")).version == first
    versions = {first}
    for at, damage in enumerate((_tell(trust={"lane": 0.5}), _write("model.onnx_data", b"numbers"))):
        path = tiny.folder(tmp_path / f"c{at}")
        damage(path)
        versions.add(Folder(path).version)
    path = tiny.folder(tmp_path / "d")
    made = tiny.tokenizer()
    made.normalizer = None
    made.save(str(path / "tokenizer.json"))
    versions.add(Folder(path).version)
    assert len(versions) == 4


def test_a_folder_is_loaded_once(tmp_path: Path) -> None:
    path = tiny.folder(tmp_path)
    assert named(str(path)) is named(str(path))


@pytest.mark.parametrize("which", [SMALL, LARGE])
def test_a_shipped_model_gives_the_same_answers_alone_together_and_side_by_side(which: Path) -> None:
    said = [read(f"{'Still waiting for order ' * (1 + at % 9)} {at}, nobody answers") for at in range(24)]
    folder = named(str(which))
    together = folder.opinions(said)
    assert [one.chances for one in together] == [folder.opinions([reading])[0].chances for reading in said]


@pytest.mark.parametrize(("which", "questions"), [(SMALL, HEADS), (LARGE, QUESTIONS)])
def test_the_shipped_folders_are_held_to_their_hashes(which: Path, questions: Mapping[str, object]) -> None:
    folder = named(str(which))
    assert isinstance(folder, Folder)
    assert set(folder.heads.sha256) == {"model.onnx", "tokenizer.json"}
    assert set(folder.heads.heads) == set(questions)
