"""Triage: lane, complaint, category, urgency, stage, touchpoint and factor of a mention, each with its reasons."""

from enum import StrEnum


class Lane(StrEnum):
    """What should happen to a mention. UNSCORED is the honest fourth: we cannot read it."""

    SERVICE = "service"
    EXPERIENCE = "experience"
    NOISE = "noise"
    UNSCORED = "unscored"


class Category(StrEnum):
    """Who must answer; for the service lane only."""

    PRODUCT_DEFECT = "product_defect"
    TECHNICAL_PROBLEM = "technical_problem"
    DELIVERY = "delivery"
    BILLING_PAYMENT = "billing_payment"
    RETURN_REFUND = "return_refund"
    ORDER_BOOKING = "order_booking"
    ACCOUNT_ACCESS = "account_access"
    STAFF_CONDUCT = "staff_conduct"
    WAIT_CONTACT = "wait_contact"
    QUESTION = "question"
    SAFETY_LEGAL = "safety_legal"
    OTHER = "other"


class Urgency(StrEnum):
    """How soon; for the service lane only."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Stage(StrEnum):
    """Where in the customer journey it happens."""

    AWARENESS = "awareness"
    CONSIDERATION = "consideration"
    PURCHASE = "purchase"
    DELIVERY = "delivery"
    USE = "use"
    SUPPORT = "support"
    LOYALTY = "loyalty"


class Touchpoint(StrEnum):
    """Where the contact takes place."""

    ADVERTISING = "advertising"
    WEBSITE = "website"
    APP = "app"
    STORE = "store"
    PHONE = "phone"
    EMAIL = "email"
    CHAT = "chat"
    SOCIAL = "social"
    PACKAGING = "packaging"
    PRODUCT = "product"
    SELF_SERVICE = "self_service"


class Factor(StrEnum):
    """What shapes the experience; for the experience lane only."""

    PRODUCT_QUALITY = "product_quality"
    EASE_OF_USE = "ease_of_use"
    PRICE_VALUE = "price_value"
    SERVICE_QUALITY = "service_quality"
    BRAND_IMAGE = "brand_image"
    CONSISTENCY = "consistency"
    EMOTIONAL_CONNECTION = "emotional_connection"
    SPEED_EFFORT = "speed_effort"
