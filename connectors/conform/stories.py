"""Stories: what happens in a place itself, from a late word to a clock that goes wrong; and the list of all."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from connectors.conform.bench import NO_WORLD, Bench, Story, WorldOpening
from connectors.conform.faults import FAR, FAULTS, LEISURE, NO_NAME, NO_PORT, PATIENCE
from connectors.conform.grade import Failing, Severity
from connectors.conform.lenses import Change, Larger, backwards, doubled, shuffled
from connectors.conform.listener import Listener
from connectors.conform.mishaps import drift, shot, stopped, unreachable, with_lens
from connectors.conform.scene import Scene
from connectors.conform.sound import DISCREET, NO_EXPECTATION, SOUND, discreet, expected, sound
from connectors.conform.verdict import said
from pipeline.errors import RefusedError

LARGEST_CAP = 2_500
"""A cap above this would take too long to fill."""
MAY_MEAN_GONE = ("404", "410", "null")
"""Faults that are some place's documented word for a deletion."""


def _scene(tell: Callable[[Bench, Scene, Listener, str], list[Failing] | str]) -> Callable[[str], Story]:
    """A story that only a world can tell."""

    def named(name: str) -> Story:
        def story(bench: Bench) -> list[Failing] | str:
            listener = bench.fresh()
            place = bench.place
            return tell(bench, place, listener, name) if isinstance(place, Scene) else NO_WORLD

        return story

    return named


@_scene
def _one_second(bench: Bench, scene: Scene, listener: Listener, name: str) -> list[Failing] | str:
    """So many in one second that they stand on several pages, at the first call and at a later one."""
    many, page = scene.world.same_second, scene.world.page
    for _ in range(2):
        for _ in range(many):
            scene.arrive(scene.now)
        scene.say(2 if many > page else page - many // 2)  # so that a page, newest first, ends among them
        if failings := bench.settle(name, listener):
            return failings
    return []


@_scene
def _late(bench: Bench, scene: Scene, listener: Listener, name: str) -> list[Failing] | str:
    """One appears long after it was said, behind others that were heard already."""
    bench.settle(name, listener)
    scene.now += scene.world.late
    scene.arrive(scene.now)
    bench.settle(name, listener)
    scene.arrive(scene.now - scene.world.late + timedelta(seconds=1))
    return bench.settle(name, listener)


def _edited(*, silently: bool) -> Callable[[str], Story]:
    @_scene
    def tell(bench: Bench, scene: Scene, listener: Listener, name: str) -> list[Failing] | str:
        """An old one gets other words, after newer ones were heard."""
        edits = scene.world.edits
        if edits is None:
            return "the place shows no edits"
        one = scene.say()[0]
        failings = bench.settle(name, listener)
        scene.now = one.at + edits - timedelta(seconds=30)
        scene.arrive(scene.now)
        failings = failings or bench.settle(name, listener)
        scene.now += timedelta(seconds=10)
        scene.edit(one.number, silently=silently)
        bench.stage.disturb()
        error = bench.walk(listener)
        if error is not None:
            return [Failing(name, Severity.LOST, f"raised {said(error)}", "the new words are heard")]
        return failings or bench.judged(name, listener)

    return tell


@_scene
def _deleted(bench: Bench, scene: Scene, listener: Listener, name: str) -> list[Failing] | str:
    """Some are taken back; that is known by the walk or by looking them up, and nothing living is called gone."""
    if not scene.world.deletes:
        return "the place does not let it be known"
    if failings := bench.settle(name, listener):
        return failings
    old, new = scene.said[len(scene.said) // 2].number, scene.said[-1].number
    keys = {each: _key(scene, listener, each) for each in (old, new)}
    for each in (old, new):
        scene.delete(each)
    scene.now += timedelta(minutes=10)
    error = bench.walk(listener) or _look_up(bench, listener)
    if error is not None:
        return [Failing(name, Severity.UNNAMED, f"raised {said(error)}", "what is gone is named")]
    missed = [each for each, key in keys.items() if key not in listener.gone]
    living = listener.gone - set(keys.values())
    if living:
        return [
            Failing(name, Severity.LOST, f"{len(living)} that are living are called gone", "only what is surely gone")
        ]
    told = "walk and gone() do not tell that it was taken back"
    return [Failing(name, Severity.DISTORTED, told, "a deletion is followed")] if missed else []


def _look_up(bench: Bench, listener: Listener, timeout: float = LEISURE) -> Exception | None:
    try:
        with bench.client(timeout) as http:
            listener.gone |= bench.source.gone(http, sorted(listener.kept))
    except Exception as error:  # noqa: BLE001 - what is not ours is judged, too
        return error
    return None


def _key(scene: Scene, listener: Listener, number: int) -> str | None:
    words = next(each.text for each in scene.said if each.number == number)
    return next((key for key, mention in listener.kept.items() if mention.text == words), None)


@_scene
def _gone_in_trouble(bench: Bench, scene: Scene, listener: Listener, name: str) -> list[Failing] | str:
    """While the place is in trouble nothing is called gone, and the trouble is named."""
    del scene
    if bench.source.recheck_after is None:
        return "the place does not let a mention be looked up"
    bench.settle(name, listener)
    for fault in FAULTS:
        if not fault.must or fault.name.startswith(MAY_MEAN_GONE):
            continue
        bench.stage.disturb(fault)
        listener.gone = set()
        error = _look_up(bench, listener, timeout=PATIENCE if fault.slow else LEISURE)
        if listener.gone:
            told = f"{fault.name}: {len(listener.gone)} that are living are called gone"
            return [Failing(name, Severity.LOST, told, "only what is surely gone")]
        if error is not None and (failings := bench.verdict.named(name, error)):
            return failings
    return []


@_scene
def _reused(bench: Bench, scene: Scene, listener: Listener, name: str) -> list[Failing] | str:
    """One was taken back, and now another thing has its id: it is heard, and not called gone."""
    if failings := bench.settle(name, listener):
        return failings
    old = scene.said[-2]
    scene.delete(old.number)
    if error := bench.walk(listener):
        return [Failing(name, Severity.LOST, f"raised {said(error)}", "a walk to its end")]
    scene.now += timedelta(minutes=10)
    new = scene.reuse(old.number)
    scene.say(1)
    listener.gone.clear()
    failings = bench.settle(name, listener)
    if all(mention.text != new.text for mention in listener.kept.values()):
        told = "another thing under the id of one that was taken back was never heard"
        return [Failing(name, Severity.LOST, told, "all is heard")]
    return [each for each in failings if each.severity is not Severity.REPEATED]  # where a time is part of an id


@_scene
def _larger(bench: Bench, scene: Scene, listener: Listener, name: str) -> list[Failing] | str:
    """Every page holds all that later pages hold, too: more than was asked for, and more than the place may give."""
    lens = Larger()
    bench.stage.disturb(lens=lens)
    bench.walk(Listener())
    if not bench.stage.hit:
        return "it fits none of the place's answers"
    if lens.most <= scene.world.page:
        return "it gives all on one page"
    lens.learns = False
    bench.stage.disturb(lens=lens)
    error = bench.walk(listener)
    if error is not None and (failings := bench.verdict.named(name, error)):
        return failings
    return bench.settle(name, listener)


def _meanwhile(happens: Callable[[Scene, Listener, int], None], *, edits: bool = False) -> Callable[[str], Story]:
    @_scene
    def tell(bench: Bench, scene: Scene, listener: Listener, name: str) -> list[Failing] | str:
        """Something happens between any two pages of the first walk and of the next."""
        if edits and scene.world.edits is None:
            return "the place shows no edits"
        for again in (False, True):
            if again:
                bench.opening.go_on(scene)
            bench.stage.disturb(meddle=lambda number: happens(scene, listener, number))
            error = bench.walk(listener)
            if error is not None:
                return [Failing(name, Severity.LOST, f"raised {said(error)}", "all is heard, each once")]
            if failings := bench.settle(name, listener):
                return failings
        return []

    return tell


def _says_more(scene: Scene, _: Listener, number: int) -> None:
    if 1 < number < 30:  # noqa: PLR2004 - a place that is never silent is never read to its end
        scene.now += timedelta(seconds=1)
        scene.arrive(scene.now)


def _moves(scene: Scene, listener: Listener, number: int) -> None:
    """One that was not heard yet is edited: it moves to the front where the place sorts by the last change."""
    if number > 1:
        heard = {mention.text for mention in listener.kept.values()}
        one = next((each for each in reversed(scene.said) if each.text not in heard and each.edited_at is None), None)
        if one:
            scene.now += timedelta(seconds=1)
            scene.edit(one.number)


def _takes_back(scene: Scene, listener: Listener, number: int) -> None:
    if number > 1:
        heard = {mention.text for mention in listener.kept.values()}
        one = next((each for each in reversed(scene.said) if each.text in heard and not each.deleted), None)
        if one:
            scene.delete(one.number)


@_scene
def _beyond_the_cap(bench: Bench, scene: Scene, listener: Listener, name: str) -> list[Failing] | str:
    """More is said between two calls than any one query gives: it is heard all the same, or told as a gap."""
    cap = scene.world.cap
    if cap is None or cap > LARGEST_CAP:
        return "the place has no cap" if cap is None else "its cap is too high to fill"
    if failings := bench.settle(name, listener):
        return failings
    scene.say(cap + cap // 5, timedelta(seconds=2))
    bench.stage.disturb()
    covered = set[int]()
    for _ in range(3):
        error = bench.walk(listener)
        if error is not None:
            return [Failing(name, Severity.LOST, f"raised {said(error)}", "all is heard, or a gap is told")]
        covered |= scene.covered(listener)
    return bench.judged(name, listener, covered)


def _clock(ahead: timedelta) -> Callable[[str], Story]:
    def named(name: str) -> Story:
        def story(bench: Bench) -> list[Failing] | str:
            if not isinstance(bench.opening, WorldOpening):
                return NO_WORLD
            usual = bench.opening.ahead
            bench.opening.ahead = ahead
            try:
                listener = bench.fresh()
                if failings := bench.settle(name, listener):
                    return failings
                bench.opening.go_on(bench.place)
                return bench.settle(name, listener)
            finally:
                bench.opening.ahead = usual

        return story

    return named


DRIFT: tuple[Change, ...] = ("missing", "null", "another type")

_NAMED: dict[str, Callable[[str], Story]] = {
    "the items of a page the other way round": partial(with_lens, lens=backwards),
    "the items of a page in no order": partial(with_lens, lens=shuffled),
    "every item twice on its page": partial(with_lens, lens=doubled),
    "a page larger than asked for": _larger,
    **{f"a field {change} in some items": partial(drift, change=change) for change in DRIFT},
    "many in one second, over several pages": _one_second,
    "one that appears late": _late,
    "one that is edited": _edited(silently=False),
    "one whose words are others under the same id": _edited(silently=True),
    "one that is taken back": _deleted,
    "an id that is used again": _reused,
    "looking up while the place is in trouble": _gone_in_trouble,
    "new ones between two pages": _meanwhile(_says_more),
    "one edited to the front between two pages": _meanwhile(_moves, edits=True),
    "one taken back between two pages": _meanwhile(_takes_back),
    "more than the place gives at once": _beyond_the_cap,
    "a clock six hours ahead": _clock(timedelta(hours=6)),
    "a clock six hours behind": _clock(timedelta(hours=-6)),
    "a clock three years behind": _clock(timedelta(days=-1_100)),
    "given up after any page": stopped,
    "killed at any request": shot,
    NO_EXPECTATION: expected,
    SOUND: sound,
    "a name that is not found": partial(unreachable, address=NO_NAME, errors=FAR),
    "a port where nobody listens": partial(unreachable, address=NO_PORT, errors=FAR),
    "TLS with a server that speaks none": partial(unreachable, address=None, errors=FAR),
    "a certificate nobody trusts": partial(unreachable, address=None, errors=(RefusedError,), tls=True),
    DISCREET: discreet,  # at last, for it judges what all the others logged
}
STORIES = {name: story(name) for name, story in _NAMED.items()}
"""What may happen in a place, to its listener and to the way between them."""
