"""What is counted as judgements come and go is what a full count finds."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from zoneinfo import ZoneInfo

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

import storage
from pipeline.analysis import Analysis
from pipeline.correction import Question, corrections
from pipeline.mention import Mention
from storage.store import Kind, Store

Say = Callable[..., Mention]
Judge = Callable[..., Analysis]
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ALWAYS = NOON - 900 * DAY, NOON + 900 * DAY
BERLIN, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")


def full(store: Store, start: datetime, end: datetime) -> dict[Kind, int]:
    """Every mention looked at."""
    return dict(
        Counter(
            Kind(said.source, judged.lane.value, judged.sentiment.value, bool(judged.complaint))
            for said, judged in store.judged(start, end)
            if not said.by_brand
        )
    )


def lanes(store: Store) -> dict[str, int]:
    return dict(Counter(judged.lane.value for _, judged in store.judged(*ALWAYS)))


def hear(store: Store, *mentions: Mention, gone: tuple[str, ...] = ()) -> None:
    store.save("forum", mentions, [{}] * len(mentions), [], None, heard_at=NOON, gone=gone)


keys = st.sampled_from([f"forum:{number}" for number in range(6)])
said = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["forum", "shop"]),
        "text": st.sampled_from(["My shoes fell apart.", "Lovely.", "?"]),
        "by_brand": st.booleans(),
        "said_at": st.integers(-3 * 24 * 60, 3 * 24 * 60).map(lambda minutes: NOON + minutes * MINUTE),
    }
)
judged = st.fixed_dictionaries(
    {
        "version": st.sampled_from(["v1", "v2"]),
        "lane": st.sampled_from(["service", "experience", "noise", "unscored"]),
        "sentiment": st.sampled_from(["negative", "neutral", "positive", "unscored"]),
        "complaint": st.sampled_from([True, False, None]),
    }
)
step = st.one_of(
    st.tuples(st.just("save"), keys, said),
    st.tuples(st.just("judge"), keys, judged),
    st.tuples(st.just("correct"), keys, st.sampled_from(["service", "experience", "noise"])),
    st.tuples(st.just("delete"), keys, st.none()),
    st.tuples(st.just("look up"), keys, st.none()),
)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # one store serves all examples: nothing is lost
)
@given(steps=st.lists(step, max_size=25), cut=st.integers(-3 * 24 * 60, 3 * 24 * 60))
def test_whatever_is_saved_edited_judged_corrected_and_deleted_the_tally_is_the_full_count(
    store: Store, say: Say, judge: Judge, steps: list[tuple[str, str, object]], cut: int
) -> None:
    for act, key, what in steps:
        match act, what:
            case "save", dict():
                hear(store, say(key, **what))
            case "judge", dict():
                store.save_analyses([judge(key, **what)])
            case "correct", str():
                analysis = store.analysis(key)
                answers = {Question.LANE: what}
                wording = store.wording(key)
                if analysis is not None:
                    store.correct(corrections(analysis, [], answers, by="Ann", at=NOON, wording=wording))
            case "delete", _:
                hear(store, gone=(key,))
            case _:
                store.note_checked("shop", [key], [key], at=NOON)
    between = NOON + cut * MINUTE
    cuts = [ALWAYS[0], between, between + 90 * MINUTE, ALWAYS[1]]
    assert store.trend(cuts) == [full(store, *pair) for pair in itertools.pairwise(cuts)]
    counts = store.counts()
    assert counts.by_lane == lanes(store)
    assert counts.mentions == len(store.mentions([f"forum:{number}" for number in range(6)]))


def weeks(zone: ZoneInfo) -> Iterator[datetime]:
    monday = datetime(2026, 3, 9, tzinfo=zone)  # the clocks of Berlin go forward on the 29th
    return (monday + week * 7 * DAY for week in range(5))


@pytest.mark.parametrize("zone", [BERLIN, KOLKATA, ZoneInfo("America/St_Johns"), ZoneInfo("Pacific/Kiritimati")])
def test_a_week_is_counted_from_midnight_to_midnight_of_any_zone(
    store: Store, say: Say, judge: Judge, zone: ZoneInfo
) -> None:
    mondays = list(weeks(zone))
    edges = [monday + far for monday in mondays for far in (-HOUR, -MINUTE, timedelta(), MINUTE, 40 * MINUTE)]
    hear(store, *(say(f"forum:{number}", said_at=at) for number, at in enumerate(edges)))
    store.save_analyses([judge(f"forum:{number}") for number in range(len(edges))])
    found = store.trend(mondays)
    assert [sum(counts.values()) for counts in found] == [5, 5, 5, 5]
    assert found == [full(store, *pair) for pair in itertools.pairwise(mondays)]
    assert store.trend(mondays, source="shop") == [{}, {}, {}, {}]


def test_a_day_of_23_hours_that_begins_and_ends_on_one_day_in_utc_has_its_own_mentions(
    store: Store, say: Say, judge: Judge
) -> None:
    london = ZoneInfo("Europe/London")
    days = [datetime(2026, 3, day, tzinfo=london) for day in (28, 29, 30, 31)]
    at = [datetime(2026, 3, 29, hour, 30, tzinfo=UTC) for hour in range(24)]
    hear(store, *(say(f"forum:{number}", said_at=moment) for number, moment in enumerate(at)))
    store.save_analyses([judge(f"forum:{number}") for number in range(24)])
    assert [sum(counts.values()) for counts in store.trend(days)] == [0, 23, 1]


def test_what_is_judged_twice_in_one_batch_counts_once(store: Store, say: Say, judge: Judge) -> None:
    hear(store, say())
    store.save_analyses([judge(lane="noise"), judge(lane="service")])
    assert store.trend(ALWAYS) == [full(store, *ALWAYS)]
    assert sum(store.trend(ALWAYS)[0].values()) == 1


def test_a_judgement_that_could_not_be_saved_does_not_count(store: Store, say: Say, judge: Judge) -> None:
    hear(store, say())
    broken = judge().model_copy(update={"version": None})
    with pytest.raises(Exception, match=r"(?i)null"):
        store.save_analyses([broken])
    store.save_analyses([judge(sentiment="positive")])
    assert store.trend(ALWAYS) == [{Kind("forum", "service", "positive", complaint=True): 1}]


def test_what_somebody_judged_without_counting_is_counted_anew(store: Store, say: Say, judge: Judge) -> None:
    """As an Earful does that was started before the tables were brought up to date, and judges on."""
    times = [NOON, NOON + 11 * HOUR + 59 * MINUTE, NOON - 400 * DAY, NOON]
    hear(store, *(say(f"forum:{number}", said_at=at, by_brand=number == 3) for number, at in enumerate(times)))
    store.save_analyses([judge(f"forum:{number}", complaint=None) for number in range(4)])
    cuts = [ALWAYS[0], NOON, NOON + 12 * HOUR, ALWAYS[1]]
    counted = store.trend(cuts), store.counts()
    with store._write() as connection:  # noqa: SLF001 - nobody else keeps from counting
        connection.execute(text("UPDATE tally SET number = number - 1, h12 = h12 - 1"))
    assert (store.trend(cuts), store.counts()) != counted
    store.recount()
    assert (store.trend(cuts), store.counts()) == counted


def test_a_batch_judged_while_the_counts_are_read_is_in_one_of_them(store: Store, say: Say, judge: Judge) -> None:
    hear(store, *(say(f"forum:{number}") for number in range(5)))
    judged = []

    def meanwhile(_: object, __: object, statement: str, *___: object) -> None:
        if "NOT judged" in statement and not judged:
            with Store(store._url.render_as_string(hide_password=False)) as other:  # noqa: SLF001
                judged.append(other.save_analyses([judge(f"forum:{number}") for number in range(5)]))

    event.listen(store._engine, "after_cursor_execute", meanwhile)  # noqa: SLF001 - between two of its questions
    counts = store.counts()
    event.remove(store._engine, "after_cursor_execute", meanwhile)  # noqa: SLF001
    assert judged == [5]
    assert (counts.mentions, counts.unanalysed, counts.by_lane) == (5, 5, {})
    assert store.counts().mentions == 5


def test_writers_of_the_same_cells_in_any_order_never_deadlock(store: Store, say: Say, judge: Judge) -> None:
    """Each judges its own mentions again and again, so that all wait for the same counters."""
    crowd, rounds = 4, 10
    hear(store, *(say(f"forum:{number}", said_at=NOON + number % 5 * HOUR) for number in range(40)))
    ready, failed = Barrier(crowd), list[Exception]()

    def work(mine: int) -> None:
        ready.wait()
        for turn in range(rounds):
            own = range(mine, 40, crowd)
            lane = ("service", "experience", "noise")[(turn + mine) % 3]
            try:
                store.save_analyses([judge(f"forum:{number}", lane=lane) for number in own])
            except Exception as error:  # noqa: BLE001 - told below, in the thread of the test
                failed.append(error)

    crew = [Thread(target=work, args=(number,)) for number in range(crowd)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert failed == []
    assert store.trend(ALWAYS) == [full(store, *ALWAYS)]


def test_a_database_from_before_is_counted_and_its_words_are_noted_when_it_is_migrated(
    store: Store, say: Say, judge: Judge
) -> None:
    times = [NOON, NOON + 11 * HOUR + 59 * MINUTE, NOON + 12 * HOUR, NOON - 400 * DAY]
    hear(store, *(say(f"forum:{number}", said_at=at) for number, at in enumerate(times)))
    hear(store, say("forum:9", by_brand=True, text="We are sorry."))
    store.save_analyses([judge(f"forum:{number}", complaint=None) for number in (0, 1, 2, 3, 9)])
    before = store.trend(cuts := [NOON - 800 * DAY, NOON, NOON + 12 * HOUR, NOON + DAY]), store.counts()
    scripts = Path(storage.__file__).parent / "migrations"
    with store._write() as connection:  # noqa: SLF001 - a former schema is below the store's doors
        old = Config(attributes={"connection": connection})
        old.set_main_option("script_location", str(scripts))
        old.set_main_option("path_separator", "os")
        command.downgrade(old, "0004")
        assert connection.scalar(text("SELECT count(*) FROM mention")) == 5
    store.migrate()
    assert (store.trend(cuts), store.counts()) == before
    assert [found.mention.key for found in store.search("sorry", 9)] == ["forum:9"]
