import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from itertools import count
from pathlib import Path
from threading import Thread
from time import sleep
from types import ModuleType
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

from flows.collect import bring_home
from flows.judge import analyse
from flows.setup import Setup
from pipeline.analysis import Analyst
from pipeline.classifier import Reading
from pipeline.errors import ChangedError, RefusedError, SettingsError, TemporaryError
from pipeline.triage.judge import Effort
from pipeline.triage.model import QUESTIONS
from pipeline.triage.opinion import Opinion
from pipeline.triage.second import READ, Heads, named
from tests.pipeline.triage import tiny
from tests.town import Town

PAGE = (Path(__file__).parents[2] / "docs" / "classifiers.md").read_text(encoding="utf-8")
NUMBER = count()


def between(mark: str) -> list[str]:
    return PAGE.split(f"<!-- {mark} -->")[1].split(f"<!-- /{mark} -->")[0].strip().splitlines()[2:]


def code(title: str) -> str:
    found = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if block.startswith(f'"""{title}')]
    assert len(found) == 1
    return str(found[0])


def test_every_field_of_heads_json_is_documented_as_it_is() -> None:
    assert between("heads") == [
        f"| `{name}` | {'needed' if part.is_required() else f'`{json.dumps(part.default)}`'} | {part.description} |"
        for name, part in Heads.model_fields.items()
    ]
    assert all(part.default is PydanticUndefined or part.description for part in Heads.model_fields.values())


def test_every_question_is_documented_with_its_answers() -> None:
    assert between("questions") == [
        f"| `{head}` | {', '.join(f'`{answer}`' for answer in answers)} |" for head, answers in QUESTIONS.items()
    ]


def test_the_dial_is_documented_with_all_its_places() -> None:
    assert re.findall(r"^\| `(\w+)` \| ", PAGE.split("| `effort` |")[1].split("\n\n")[0], re.MULTILINE) == list(Effort)
    assert f"first {READ:,} characters" in PAGE


def test_the_export_writes_heads_that_we_accept() -> None:
    script = code("export.py")
    compile(script, "export.py", "exec")  # it needs PyTorch, which is not installed here
    ours = re.findall(r"^OURS = (\{.*\})  #", script, re.MULTILINE)[0]
    (question, answers), *_ = json.loads(ours).items()
    heads = {question: list(answers)}
    Heads.model_validate({"heads": heads, "trust": {question: 0.5}, "tokens": 128})


# ---- The settings -------------------------------------------------------------------------------------------------


def judging(town: Town, classifier: str) -> Setup:
    lines = f'\n[judgement]\neffort = "accurate"\nclassifier = "{classifier}"\n'
    text = town.settings.read_text("utf-8").split("\n[judgement]")[0]
    town.settings.write_text(text + lines, encoding="utf-8")
    return town.setup()


def test_a_folder_beside_the_settings_judges_what_is_heard(town: Town) -> None:
    tiny.folder(town.folder / "models" / "mine")
    analyst = judging(town, "models/mine").analyst()
    assert analyst.versions["second"] == named(str(town.folder / "models" / "mine")).version
    (analysis,) = analyst.analyse([Reading(key="k", text="Everything about it is so broken")])
    assert analysis.complaint


def test_a_classifier_that_cannot_work_is_a_fault_of_the_settings_with_its_line(town: Town) -> None:
    with pytest.raises(SettingsError, match=r"earful.toml, line \d+: judgement.classifier: .*heads.json is missing"):
        judging(town, "models/none")
    with pytest.raises(SettingsError, match=r"line \d+: judgement.classifier: .*no module nowhere_to_be_found"):
        judging(town, "nowhere_to_be_found:Mine")


# ---- The endpoint -------------------------------------------------------------------------------------------------


@dataclass
class Llm:
    """An endpoint on loopback: what it says to every request, with which status, how slowly; and what it was asked.

    `body` stands in for its whole answer.
    """

    address: str = ""
    says: object = '{"lane": "service", "complaint": "yes"}'
    status: int = 200
    wait: float = 0
    body: object = None
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)


@contextmanager
def open_llm() -> Iterator[Llm]:
    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            llm.asked.append((self.path, self.headers["authorization"], asked))
            sleep(llm.wait)
            usual = {"choices": [{"message": {"role": "assistant", "content": llm.says}}]}
            body = json.dumps(llm.body or usual).encode()
            self.send_response(llm.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    llm = Llm(f"http://127.0.0.1:{server.server_port}/v1")
    Thread(target=server.serve_forever, daemon=True).start()
    yield llm
    server.shutdown()
    server.server_close()


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Llm]:
    with open_llm() as llm:
        for name, value in {"LLM_ADDRESS": llm.address, "LLM_MODEL": "tiny-1", "LLM_KEY": "k-123"}.items():
            monkeypatch.setenv(name, value)
        yield llm


@pytest.fixture
def house_llm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's module, under a name of its own in each test: a classifier is made once and kept."""
    name = f"house_llm_{next(NUMBER)}"
    (tmp_path / f"{name}.py").write_text(code("An LLM asked"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return import_module(name)


def told(house_llm: ModuleType) -> str:
    return f"{house_llm.__name__}:Endpoint"


def read(text: str) -> Reading:
    return Reading(key=f"k{next(NUMBER)}", text=text)


def test_the_llm_of_the_page_is_asked_once_for_each_text_and_its_answer_counts(llm: Llm, house_llm: ModuleType) -> None:
    texts = ["Lovely weather.", "half \ud83d a sign", "x" * 100_000]
    opinions = named(told(house_llm)).opinions([read(text) for text in texts])
    assert [opinion.chances["lane"] for opinion in opinions] == [pytest.approx([0.9, 0.05, 0.05])] * 3
    assert [opinion.chances["complaint"] for opinion in opinions] == [pytest.approx([0.1, 0.9])] * 3
    assert {(path, key) for path, key, _ in llm.asked} == {("/v1/chat/completions", "Bearer k-123")}
    said = sorted(asked["messages"][-1]["content"] for _, _, asked in llm.asked)
    assert said == sorted(["Lovely weather.", "half ? a sign", "x" * 2000])
    assert all(asked["model"] == "tiny-1" and asked["temperature"] == 0 for _, _, asked in llm.asked)


def test_what_the_llm_answers_moves_the_verdict_as_far_as_it_is_trusted(llm: Llm, house_llm: ModuleType) -> None:
    said = read("Where can I change the address of my order?")
    fast = Analyst(effort=Effort.FAST).analyse([said])[0]
    llm.says = '{"lane": "noise", "complaint": "no"}'
    both = Analyst(effort=Effort.ACCURATE, classifier=told(house_llm)).analyse([said])[0]
    before, after = fast.lane_probabilities["noise"], both.lane_probabilities["noise"]
    assert before is not None
    assert after is not None
    assert before < after
    assert both.versions["second"].startswith(f"{told(house_llm)}-tiny-1-")
    assert both.sentiment == fast.sentiment


@pytest.mark.parametrize(
    "says",
    ["I would say service.", '{"lane": "service"}', '{"lane": "mood", "complaint": "yes"}', "[]", None, "{", "7"],
)
def test_an_llm_that_rambles_has_no_opinion(llm: Llm, house_llm: ModuleType, says: object) -> None:
    llm.says = says
    assert named(told(house_llm)).opinions([read("a")]) == [Opinion({})]


@pytest.mark.parametrize(
    ("status", "error"), [(429, TemporaryError), (503, TemporaryError), (401, RefusedError), (404, RefusedError)]
)
def test_a_status_of_the_endpoint_becomes_our_error_without_the_key(
    llm: Llm, house_llm: ModuleType, status: int, error: type[Exception]
) -> None:
    llm.status = status
    with pytest.raises(error) as caught:
        named(told(house_llm)).opinions([read("a")])
    assert "k-123" not in str(caught.value)


def test_an_endpoint_that_does_not_answer_in_time_or_at_all_is_tried_again_later(
    llm: Llm, house_llm: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = named(told(house_llm))
    monkeypatch.setattr(house_llm, "TIMEOUT", 0.2)
    llm.wait = 1
    with pytest.raises(TemporaryError):
        second.opinions([read("a")])
    monkeypatch.setenv("LLM_ADDRESS", "http://127.0.0.1:9/v1")  # the port of no one
    with pytest.raises(TemporaryError):
        house_llm.Endpoint().opinions([read("a")])


def test_an_endpoint_of_another_kind_is_a_matter_for_a_developer(llm: Llm, house_llm: ModuleType) -> None:
    llm.body = {"error": "no such model"}
    with pytest.raises(ChangedError, match="failed: KeyError"):
        named(told(house_llm)).opinions([read("a")])
    llm.body = ["none"]
    with pytest.raises(ChangedError):
        named(told(house_llm)).opinions([read("a")])


def test_without_its_environment_it_is_refused_by_the_name_of_the_variable(
    house_llm: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLM_ADDRESS", raising=False)
    with pytest.raises(SettingsError, match="set the environment variable LLM_ADDRESS"):
        named(told(house_llm))


def test_while_the_endpoint_is_down_the_run_waits_and_nothing_is_lost(
    llm: Llm, house_llm: ModuleType, town: Town
) -> None:
    town.write(plaints=6, praise=4)

    class Asking(Setup):
        def analyst(self, *, taught: bool = True) -> Analyst:  # noqa: ARG002 - as the one it stands for
            return Analyst(effort=Effort.ACCURATE, classifier=told(house_llm))

    setup = Asking.read(town.settings)
    with setup.store() as store:
        store.migrate()
    for source in setup.sources:
        bring_home(setup, source)
    llm.status = 503
    with pytest.raises(TemporaryError):
        analyse.fn(setup)
    with setup.store() as store:
        assert len(store.unanalysed(setup.analyst().version, 100)) == 10
    llm.status = 200
    assert analyse.fn(setup) == 10
    with setup.store() as store:
        assert store.unanalysed(setup.analyst().version, 100) == []
