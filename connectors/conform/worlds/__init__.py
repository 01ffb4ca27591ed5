"""The list of worlds: one for each kind of source that asks a server, each as its documentation describes it."""

from connectors.conform.world import World
from connectors.conform.worlds.appstore import AppStoreWorld
from connectors.conform.worlds.appstore_connect import AppStoreConnectWorld
from connectors.conform.worlds.bluesky import BlueskyWorld
from connectors.conform.worlds.discourse import DiscourseWorld
from connectors.conform.worlds.facebook import FacebookWorld
from connectors.conform.worlds.feed import FeedWorld
from connectors.conform.worlds.github import GitHubWorld
from connectors.conform.worlds.google_business import GoogleBusinessWorld
from connectors.conform.worlds.google_play import GooglePlayWorld
from connectors.conform.worlds.hackernews import HackerNewsWorld
from connectors.conform.worlds.instagram import InstagramWorld
from connectors.conform.worlds.mastodon import MastodonWorld
from connectors.conform.worlds.reddit import RedditWorld
from connectors.conform.worlds.rest import RestWorld
from connectors.conform.worlds.stackexchange import StackExchangeWorld
from connectors.conform.worlds.steam import SteamWorld
from connectors.conform.worlds.trustpilot import TrustpilotWorld
from connectors.conform.worlds.typeform import TypeformWorld
from connectors.conform.worlds.wordpress import WordPressWorld
from connectors.conform.worlds.x import XWorld
from connectors.conform.worlds.youtube import YouTubeWorld
from connectors.conform.worlds.zendesk import ZendeskWorld

WORLDS: tuple[type[World], ...] = (
    FeedWorld,
    HackerNewsWorld,
    MastodonWorld,
    AppStoreWorld,
    BlueskyWorld,
    RedditWorld,
    XWorld,
    YouTubeWorld,
    AppStoreConnectWorld,
    FacebookWorld,
    GoogleBusinessWorld,
    GooglePlayWorld,
    InstagramWorld,
    TrustpilotWorld,
    DiscourseWorld,
    GitHubWorld,
    StackExchangeWorld,
    SteamWorld,
    WordPressWorld,
    RestWorld,
    TypeformWorld,
    ZendeskWorld,
)
