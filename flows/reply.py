"""Reply: a person's answer, put where the mention was said. Never by itself, and the same words once."""

from flows.hosts import asking
from flows.setup import Setup
from flows.solved import settling
from pipeline.errors import RefusedError, SettingsError
from pipeline.mention import Mention
from pipeline.reply import Reply, reply_key
from pipeline.text import tidy
from storage.store import Store


def fitting(setup: Setup, mention: Mention, text: str) -> str:
    """The words as they go out. SettingsError where they cannot: the place takes no replies, or none so long."""
    words = tidy(text)
    source = setup.source(mention.source)
    label, most = source.label, source.reply_limit
    if most is None:
        raise SettingsError(f"{label} takes no replies from a program; answer there by hand: {mention.url or ''}")
    if not mention.key.startswith(f"{source.kind}:"):  # a source of this name may have been of another kind
        raise SettingsError(f"{source.name} is {label} now, and this was said elsewhere; answer there by hand")
    words = source.worded(mention, words) if words else ""
    if not words or source.length(words) > most:
        raise SettingsError(f"an answer on {label} has 1 to {most:,} characters, not {source.length(words):,}")
    if mention.by_brand:
        raise SettingsError("the brand said that itself")
    return words


def reply(setup: Setup, store: Store, mention: Mention, text: str, *, again: bool = False) -> Reply:
    """Send `text` as the brand's answer to `mention`, and remember it; its case counts as answered.

    What is out already stays the one answer, and is returned. SettingsError where it is not `fitting`. RefusedError
    where the same words may be out, because an earlier try got no whole answer: with `again` they are sent once more.
    What the place says against it is raised, and remembered.
    """
    words, now = fitting(setup, mention, text), setup.now()
    order = Reply(key=reply_key(mention.key, words), mention_key=mention.key, text=words, ordered_at=now)
    known = store.order_reply(order, again=again)
    if known.sent_at is not None:
        return known
    if known.ordered_at != now and known.error is None and not again:
        raise RefusedError(
            f"the same words were ordered on {known.ordered_at:%d %B %Y %H:%M} UTC, and nobody knows whether they are "
            "out; the operator must act: look there, then order them --again if they are not"
        )
    with asking(setup, store) as http:
        try:
            receipt = setup.source(mention.source).reply(http, mention, words)
        except (RefusedError, SettingsError) as error:  # after anything else it may be out, and stays unknown
            store.mark_reply_failed(order.key, str(error))
            raise
    at = setup.now()
    store.mark_replied(order.key, receipt, at, settling=settling(setup, closed=False))
    return order.model_copy(update={"sent_at": at, "receipt": receipt})
