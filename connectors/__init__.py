"""The two lists: every source we listen to, every sink alerts go to."""

from typing import Annotated, get_args

from pydantic import Field

from connectors.contract import Sink, Source
from connectors.sinks.apprise import Apprise
from connectors.sinks.discord import Discord
from connectors.sinks.email import Email
from connectors.sinks.file import FileSink
from connectors.sinks.freshdesk import Freshdesk
from connectors.sinks.jira import JiraServiceManagement
from connectors.sinks.pagerduty import PagerDuty
from connectors.sinks.slack import Slack
from connectors.sinks.teams import Teams
from connectors.sinks.webhook import Webhook
from connectors.sinks.zendesk import ZendeskTicket
from connectors.sources.appstore import AppStore
from connectors.sources.appstore_connect import AppStoreConnect
from connectors.sources.bluesky import Bluesky
from connectors.sources.discourse import Discourse
from connectors.sources.facebook import FacebookPage
from connectors.sources.feed import Feed
from connectors.sources.file import File
from connectors.sources.github import GitHub
from connectors.sources.google_business import GoogleBusiness
from connectors.sources.google_play import GooglePlay
from connectors.sources.hackernews import HackerNews
from connectors.sources.imap import Imap
from connectors.sources.instagram import Instagram
from connectors.sources.intake import Intake
from connectors.sources.mastodon import Mastodon
from connectors.sources.reddit import Reddit
from connectors.sources.rest import Rest
from connectors.sources.stackexchange import StackExchange
from connectors.sources.steam import Steam
from connectors.sources.trustpilot import Trustpilot
from connectors.sources.typeform import Typeform
from connectors.sources.wordpress import WordPress
from connectors.sources.x import X
from connectors.sources.youtube import YouTube
from connectors.sources.zendesk import Zendesk

AnySource = Annotated[
    Feed
    | File
    | HackerNews
    | Mastodon
    | Bluesky
    | Reddit
    | YouTube
    | X
    | AppStore
    | Zendesk
    | Typeform
    | Rest
    | Intake
    | Imap
    | AppStoreConnect
    | GooglePlay
    | GoogleBusiness
    | Trustpilot
    | FacebookPage
    | Instagram
    | GitHub
    | Discourse
    | StackExchange
    | Steam
    | WordPress,
    Field(discriminator="kind"),
]  # fmt: skip
AnySink = Annotated[
    Slack
    | Teams
    | Discord
    | Email
    | PagerDuty
    | ZendeskTicket
    | JiraServiceManagement
    | Freshdesk
    | Webhook
    | FileSink
    | Apprise,
    Field(discriminator="kind"),
]  # fmt: skip

SOURCES: tuple[type[Source], ...] = get_args(get_args(AnySource)[0])
SINKS: tuple[type[Sink], ...] = get_args(get_args(AnySink)[0])
