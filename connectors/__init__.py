"""The two lists: every source we listen to, every sink alerts go to."""

from typing import Annotated

from pydantic import Field

from connectors.sinks.email import Email
from connectors.sinks.file import FileSink
from connectors.sinks.slack import Slack
from connectors.sinks.webhook import Webhook
from connectors.sources.appstore import AppStore
from connectors.sources.feed import Feed
from connectors.sources.file import File
from connectors.sources.hackernews import HackerNews
from connectors.sources.mastodon import Mastodon

SOURCES = (Feed, File, HackerNews, Mastodon, AppStore)
SINKS = (Slack, Email, Webhook, FileSink)

AnySource = Annotated[Feed | File | HackerNews | Mastodon | AppStore, Field(discriminator="kind")]
AnySink = Annotated[Slack | Email | Webhook | FileSink, Field(discriminator="kind")]
