"""Every noun comes out of the store as it went in, whatever people typed and wherever they live."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.analysis import Analysis
from pipeline.case import Case
from pipeline.classifier import Reason
from pipeline.mention import Mention
from pipeline.route import Alert
from pipeline.visit import Visit
from storage.store import Store

often = settings(
    max_examples=40,
    deadline=None,  # a shared machine may stop for a second
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # one store serves all examples
)
number = count()  # every example has a key of its own
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)

zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones)  # noqa: DTZ001 - the strategy adds zones
anything = st.text(st.characters(), max_size=60)  # lone surrogates and NUL too
storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60)
numbers = st.integers(0, 2**63 - 1)
stars = st.floats(allow_nan=False, allow_infinity=False)
shares = st.floats(0, 1)


def nouns(noun: type[Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Valid values of a noun, each field given or, if it may be, null."""
    optional = {name for name, field in noun.model_fields.items() if not field.is_required() or field.default is None}
    either = {name: st.none() | field if name in optional else field for name, field in fields.items()}
    return st.fixed_dictionaries(either).map(
        lambda said: noun.model_validate({name: value for name, value in said.items() if value is not None})
    )


mentions = nouns(
    Mention,
    key=anything.map(lambda text: f"x:{text}"),
    source=anything,
    kind=st.sampled_from(["post", "comment", "review", "message", "article", "survey"]),
    text=anything,
    said_at=times,
    **dict.fromkeys(
        ["title", "url", "author", "author_id", "language", "thread", "parent", "brand", "product", "country"], anything
    ),
    edited_at=times,
    author_reach=numbers,
    rating=stars,
    rating_max=stars,
    likes=numbers,
    by_brand=st.booleans(),
)
reasons = st.builds(Reason, field=storable, text=anything, start=st.none() | st.integers(0, 99), weight=stars)
analyses = st.fixed_dictionaries(
    {
        "version": storable,
        "versions": st.dictionaries(anything, anything, max_size=3),
        "language": st.none() | storable,
        "lane": st.sampled_from(["service", "experience", "noise", "unscored"]),
        "lane_probabilities": st.dictionaries(storable, st.none() | shares, max_size=3),
        "needs_reply": st.booleans(),
        "complaint": st.none() | st.booleans(),
        "complaint_probability": st.none() | shares,
        "sentiment": st.sampled_from(["negative", "neutral", "positive", "unscored"]),
        "sentiment_score": st.none() | st.floats(-1, 1),
        "category": st.sampled_from([None, "delivery", "safety_legal"]),
        "urgency": st.sampled_from([None, "critical", "low"]),
        "stage": st.sampled_from([None, "use", "loyalty"]),
        "touchpoint": st.sampled_from([None, "app", "self_service"]),
        "factor": st.sampled_from([None, "price_value"]),
        "grave": st.lists(storable, max_size=3),
        "reasons": st.lists(reasons, max_size=3),
    }
)
alerts = nouns(
    Alert,
    key=storable,
    sink=storable,
    kind=st.sampled_from(["case", "watch", "digest", "solved"]),
    title=storable,
    **dict.fromkeys(["case", "who", "text", "where", "team", "url"], storable),
    why=st.lists(storable, max_size=3),
    urgency=st.sampled_from(["critical", "low"]),
    reply_by=times,
    said_at=times,
    made_at=times,
)
visits = nouns(
    Visit,
    source=storable,
    started_at=times,
    ended_at=times,
    heard=st.integers(0, 2**31 - 1),
    new=st.integers(0, 9),
    gone=st.integers(0, 9),
    error=storable,
    who_acts=storable,
)


@often
@given(mention=mentions)
def test_a_mention_comes_out_as_it_went_in(store: Store, mention: Mention) -> None:
    mention = mention.model_copy(update={"key": f"{next(number)}{mention.key}"})
    store.save("any", [mention], [{}], [], None, heard_at=NOON)
    assert store.mention(mention.key) == mention
    assert next(store.judged(mention.said_at, mention.said_at + timedelta(1)), None) is None


@often
@given(judged=analyses)
def test_an_analysis_comes_out_as_it_went_in(store: Store, judged: dict[str, Any]) -> None:
    analysis = Analysis.model_validate(judged | {"mention_key": "x:1"})
    mention = Mention(key="x:1", source="x", kind="post", text="0", said_at=NOON)
    store.save("any", [mention], [{}], [], None, heard_at=NOON)
    store.save_analyses([analysis])
    assert store.analysis("x:1") == analysis


@often
@given(alert=alerts)
def test_an_alert_comes_out_as_it_went_in(store: Store, alert: Alert) -> None:
    alert = alert.model_copy(update={"sink": f"{next(number)}{alert.sink}"})
    store.put_alerts([alert])
    assert store.claim(alert.sink, alert.made_at, timedelta(1), 2) == [alert]


@often
@given(visit=visits)
def test_a_visit_comes_out_as_it_went_in(store: Store, visit: Visit) -> None:
    store.note_visit(visit)
    assert store.last_visits()[visit.source].visit == visit
    assert visit in store.visits(visit.started_at)


def test_a_case_comes_out_as_it_went_in(
    store: Store, say: Callable[..., Mention], judge: Callable[..., Analysis], complain: Callable[..., Case]
) -> None:
    case = complain(grave=["injury"], closed_at=NOON, closed_because="", author="ü\u202e😀", fingerprint="f" * 32)
    store.save("any", [say()], [{}], [], None, heard_at=NOON)
    store.save_analyses([judge()])
    assert store.write(case, judge(), [])
    assert store.case_of("forum:1") == case == store.case(case.key)
    assert isinstance(store.case(case.key), Case)


def test_a_raw_item_comes_out_as_it_went_in(store: Store, say: Callable[..., Mention]) -> None:
    item = {"id": 1, "text": "\x00\ud800 ü😀", "deep": [{"a": None}, 1.5, True]}
    store.save("any", [say()], [item], [], None, heard_at=NOON)
    assert store.raw("forum:1") == item
