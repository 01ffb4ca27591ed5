"""The list of desks: one for each kind of sink that is asked over HTTP, each as its documentation describes it."""

from connectors.conform.desks.discord import DiscordDesk
from connectors.conform.desks.freshdesk import FreshdeskDesk
from connectors.conform.desks.jira import JiraDesk
from connectors.conform.desks.pagerduty import PagerDutyDesk
from connectors.conform.desks.slack import SlackDesk
from connectors.conform.desks.teams import TeamsDesk
from connectors.conform.desks.webhook import WebhookDesk
from connectors.conform.desks.zendesk_ticket import ZendeskDesk
from connectors.conform.world import Desk

DESKS: tuple[type[Desk], ...] = (
    SlackDesk,
    TeamsDesk,
    DiscordDesk,
    PagerDutyDesk,
    ZendeskDesk,
    JiraDesk,
    FreshdeskDesk,
    WebhookDesk,
)
